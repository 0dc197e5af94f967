/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-transfer.c - bytes of volumes go to files, and those of files into volumes
 *
 * Holes travel as such, unless --full says otherwise: of a file where its file system says that there
 * are some, of a volume where the daemon does. What is received is in FILE.part until it is complete.
 *
 * A daemon of this host and user that is socled gets the file and copies by itself; all others, and what
 * is no file, get or send bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/object.h"
#include "cli/out-file.h"
#include "cli/vol.h"

enum {
	PIECE = 1 << 18, /* bytes that are read and sent at once */
	TELL_MS = 200,   /* between two lines of progress */
};

struct vol_transfer {
	uint64_t offset, length; /* of the volume; 0: all */
	bool sparse;             /* holes of a file are not sent */
	unsigned no_sync;        /* of an upload: SOCLE_VOLUME_NO_SYNC, or 0 */
	bool progress;           /* is told on stderr */
};

/* How far it is, on a terminal. */
struct progress {
	bool wanted;
	uint64_t data, holes, total; /* bytes; total 0: not known */
	uint64_t told_ns;
};

static void progress_init(struct progress *progress, bool wanted, uint64_t total)
{
	*progress = (struct progress){ .wanted = wanted, .total = total };
}

static void progress_tell(struct progress *progress, bool last)
{
	uint64_t now = sys_monotonic_ns(), done = progress->data + progress->holes;
	g_autofree char *text = NULL;

	if (!progress->wanted || (!last && now - progress->told_ns < TELL_MS * UINT64_C(1000000)))
		return;
	progress->told_ns = now;
	text = cli_size(done);
	if (last)
		(void)fprintf(stderr, "\r\033[K");
	else if (progress->total)
		(void)fprintf(stderr, "\r%s, %u %%\033[K", text,
			      (unsigned)(MIN(done, progress->total) * 100 / progress->total));
	else
		(void)fprintf(stderr, "\r%s\033[K", text);
	(void)fflush(stderr);
}

/* ---- by the daemon ---- */

/* The file's position, which was @start, tells how far it is. */
static bool wait_for_copy(struct socle_stream *stream, int fd, off_t start,
			  struct progress *progress, GError **error)
{
	struct socle_error *why = NULL;
	uint8_t none;

	while (!socle_stream_wait(stream, SOCLE_STREAM_READABLE, TELL_MS)) {
		progress->data = (uint64_t)(sys_lseek(fd, 0, SEEK_CUR) - start);
		progress_tell(progress, false);
		if (!interrupt_check(error))
			return false;
	}
	return socle_stream_recv(stream, &none, sizeof(none), &why) >= 0 ||
	       cli_fail(error, why, NULL);
}

/* ---- up ---- */

struct source {
	int fd;
	const char *path;
	off_t start;   /* its position, if it is a file */
	bool sparse;   /* it can tell where holes are */
	uint64_t left; /* bytes that are wanted, UINT64_MAX: all */
};

static bool send_data(struct socle_stream *stream, struct source *source, uint64_t len,
		      struct progress *progress, GError **error)
{
	g_autofree uint8_t *piece = g_malloc(PIECE);

	while (len > 0) {
		struct socle_error *why = NULL;
		ssize_t got = sys_read_full(source->fd, piece, (size_t)MIN(len, PIECE));

		if (got < 0)
			return error_sys(error, (int)got, "cannot read '%s'", source->path);
		if (got == 0)
			break;
		if (socle_stream_send(stream, piece, (size_t)got, &why) < 0)
			return cli_fail(error, why, NULL);
		len -= (uint64_t)got;
		progress->data += (uint64_t)got;
		progress_tell(progress, false);
		if (!interrupt_check(error))
			return false;
	}
	source->left = 0;
	return true;
}

static bool send_hole(struct socle_stream *stream, uint64_t len, struct progress *progress,
		      GError **error)
{
	struct socle_error *why = NULL;

	if (socle_stream_send_hole(stream, (int64_t)len, &why) < 0)
		return cli_fail(error, why, NULL);
	progress->holes += len;
	progress_tell(progress, false);
	return true;
}

/* Data and holes of a file, up to its end. */
static bool send_sparse(struct socle_stream *stream, struct source *source,
			struct progress *progress, GError **error)
{
	off_t at = sys_lseek(source->fd, 0, SEEK_CUR), end = sys_lseek(source->fd, 0, SEEK_END);

	if (at < 0 || end < 0)
		return error_sys(error, (int)MIN(at, end), "cannot read '%s'", source->path);
	if ((uint64_t)(end - at) > source->left)
		end = at + (off_t)source->left;
	while (at < end) {
		off_t data = sys_lseek(source->fd, at, SEEK_DATA), hole;

		if (data == -ENXIO || data > end)
			data = end;
		if (data < 0)
			return error_sys(error, (int)data, "cannot read '%s'", source->path);
		if (data > at && !send_hole(stream, (uint64_t)(data - at), progress, error))
			return false;
		if (data == end)
			return true;
		hole = sys_lseek(source->fd, data, SEEK_HOLE);
		hole = hole < 0 || hole > end ? end : hole;
		if (sys_lseek(source->fd, data, SEEK_SET) < 0 ||
		    !send_data(stream, source, (uint64_t)(hole - data), progress, error))
			return false;
		at = hole;
	}
	return true;
}

/* The stream is open: all goes through it; @total: bytes, or 0: not known. */
static bool fill(struct socle_stream *stream, const char *name, struct source *source,
		 bool by_daemon, uint64_t total, bool shows_progress, GError **error)
{
	struct socle_error *why = NULL;
	struct progress progress;
	bool ok;

	progress_init(&progress, shows_progress, total);
	if (by_daemon)
		ok = wait_for_copy(stream, source->fd, source->start, &progress, error);
	else if (source->sparse)
		ok = send_sparse(stream, source, &progress, error);
	else
		ok = send_data(stream, source, source->left, &progress, error);
	progress_tell(&progress, true);
	ok = ok && interrupt_check(error);
	if (ok && socle_stream_finish(stream, &why) < 0)
		ok = cli_fail(error, why, NULL);
	if (!ok)
		g_prefix_error(error, "volume '%s': ", name);
	return ok;
}

static bool upload(struct socle_volume *vol, int fd, const char *path,
		   const struct vol_transfer *transfer, GError **error)
{
	struct stat st;
	bool file = sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	struct source source = {
		.fd = fd,
		.path = path,
		.start = file ? sys_lseek(fd, 0, SEEK_CUR) : 0,
		.sparse = transfer->sparse && file,
		.left = transfer->length ? transfer->length : UINT64_MAX,
	};
	struct socle_error *why = NULL;
	SOCLE_AUTO(stream) stream = NULL;
	bool by_daemon;

	if (source.sparse)
		stream = socle_volume_upload_fd(vol, transfer->offset, transfer->length, fd,
						transfer->no_sync, NULL);
	by_daemon = stream != NULL;
	if (!stream)
		stream = socle_volume_upload(
			vol, transfer->offset, transfer->length,
			transfer->no_sync | (source.sparse ? SOCLE_VOLUME_SPARSE : 0), 0, &why);
	if (!stream)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	return fill(stream, socle_volume_name(vol), &source, by_daemon,
		    transfer->length ? transfer->length
		    : file           ? (uint64_t)st.st_size
				     : 0,
		    transfer->progress, error);
}

/* Another way may do: this one the server does not know. */
static bool is_unknown(struct socle_error **why)
{
	if (socle_error_code(*why) != SOCLE_ERR_NO_SUPPORT)
		return false;
	socle_error_free(*why);
	*why = NULL;
	return true;
}

struct birth {
	struct socle_volume *vol;
	struct socle_stream *stream;
	bool by_daemon;
	bool is_there; /* already, without its bytes */
};

static bool begin_volume(struct socle_pool *pool, const char *xml, int fd, unsigned flags,
			 struct birth *birth, struct socle_error **why)
{
	birth->vol = socle_volume_create_stream(pool, xml, flags, fd, 0, &birth->stream, why);
	birth->by_daemon = birth->vol != NULL;
	if (!birth->vol && is_unknown(why))
		birth->vol =
			socle_volume_create_stream(pool, xml, flags, -1, 0, &birth->stream, why);
	if (birth->vol || !is_unknown(why))
		return birth->vol != NULL;
	birth->vol = socle_volume_create(pool, xml, 0, why);
	birth->is_there = birth->vol != NULL;
	if (birth->vol)
		birth->stream = socle_volume_upload(birth->vol, 0, 0, SOCLE_VOLUME_SPARSE, 0, why);
	return birth->stream != NULL;
}

struct socle_volume *vol_make_of(struct socle_pool *pool, const char *name, int fd,
				 const char *path, unsigned flags, bool shows_progress,
				 GPtrArray *made, GError **error)
{
	struct source source = { .fd = fd, .path = path, .sparse = true, .left = UINT64_MAX };
	g_autofree char *copy = g_strdup(name), *xml = NULL;
	char raw[] = "raw";
	struct storage_vol wanted = {
		.name = copy,
		.allocation = number_of(0),
		.target.format.type = raw,
	};
	struct socle_error *why = NULL;
	struct birth birth = { .vol = NULL };
	struct stat st;
	bool ok;

	if (sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || sys_lseek(fd, 0, SEEK_SET) < 0) {
		error_set(error, SOCLE_ERROR_USAGE, "'%s' is no file", path);
		return NULL;
	}
	wanted.capacity = number_of(st.st_size);
	xml = storage_vol_format(&wanted);
	ok = begin_volume(pool, xml, fd, flags, &birth, &why)
		     ? fill(birth.stream, name, &source, birth.by_daemon, (uint64_t)st.st_size,
			    shows_progress, error)
		     : cli_fail(error, why, "cannot make volume '%s'", name);
	/* What is not whole is not there any more. */
	socle_stream_unref(birth.stream);
	if (birth.vol && (ok || birth.is_there))
		g_ptr_array_add(made, birth.vol);
	else
		socle_volume_unref(birth.vol);
	return ok ? birth.vol : NULL;
}

bool vol_shows_progress(const struct cli *cli)
{
	return !cli->quiet && cli->output == OUTPUT_TABLE && isatty(STDERR_FILENO);
}

static bool transfer_of(const struct cli *cli, const struct cli_args *args,
			struct vol_transfer *transfer, GError **error)
{
	const char *offset = cli_args_value(args, "offset"),
		   *length = cli_args_value(args, "length");

	*transfer = (struct vol_transfer){
		.sparse = !cli_args_has(args, "full"),
		.progress = vol_shows_progress(cli),
	};
	return (!offset || cli_parse_size("the offset", offset, 1, &transfer->offset, error)) &&
	       (!length || cli_parse_size("the length", length, 1, &transfer->length, error));
}

static int run_upload(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *path = cli_args_word(args, 1);
	bool is_stdin = !strcmp(path, "-");
	struct vol_transfer transfer;
	autofd int opened = -1;
	SOCLE_AUTO(volume) vol = NULL;

	if (!transfer_of(cli, args, &transfer, error))
		return CLI_USAGE;
	transfer.no_sync = vol_no_sync(args);
	opened = is_stdin ? -1 : sys_open(path, O_RDONLY, 0);
	if (opened < 0 && !is_stdin)
		return error_sys(error, opened, "cannot open '%s'", path);
	vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	if (!vol || !upload(vol, is_stdin ? STDIN_FILENO : opened, path, &transfer, error))
		return CLI_FAILED;
	cli_done_object(cli, &object_volume, vol, "upload", "has what the file has");
	return CLI_OK;
}

static int run_import(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *path = cli_args_word(args, 1), *word = cli_args_word(args, 2);
	g_autofree char *name = word ? g_strdup(word) : g_path_get_basename(path);
	g_autoptr(GPtrArray) vols =
		g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref);
	autofd int fd = sys_open(path, O_RDONLY, 0);
	SOCLE_AUTO(pool) pool = NULL;
	struct socle_volume *vol = NULL;

	if (fd < 0)
		return error_sys(error, fd, "cannot open '%s'", path);
	pool = cli_pool(cli, cli_args_word(args, 0), error);
	if (!pool)
		return CLI_FAILED;
	interrupt_begin();
	vol = vol_make_of(pool, name, fd, path, vol_no_sync(args), vol_shows_progress(cli), vols,
			  error);
	if (!vol)
		vols_undo(cli, vols, name, error);
	interrupt_end();
	if (!vol)
		return CLI_FAILED;
	cli_done_object(cli, &object_volume, vol, "import", "is made of the file");
	return CLI_OK;
}

const struct cli_command cli_vol_import = {
	.noun = "vol",
	.verb = "import",
	.arguments = "POOL FILE [NAME]",
	.summary = "Make a volume of a file, which is there when it has all of it",
	.options = (const struct cli_option[]){ VOL_ROW_NO_SYNC, CLI_ROW_END },
	.what = { CLI_POOL, CLI_FILE, CLI_TEXT },
	.min = 2,
	.max = 3,
	.flags = CLI_WRITES | CLI_BRIEF,
	.run = run_import,
};

#define ROWS_TRANSFER                                                                      \
	VOL_ROW_POOL, { "offset", 0, "SIZE", CLI_TEXT, "of the volume, where it begins" }, \
		{ "length", 0, "SIZE", CLI_TEXT, "so many bytes (default: all)" },         \
		{ "sparse", 0, NULL, CLI_NOTHING, "holes travel as such, as they do" },    \
	{                                                                                  \
		"full", 0, NULL, CLI_NOTHING, "holes travel as zeroes"                     \
	}

const struct cli_command cli_vol_upload = {
	.noun = "vol",
	.verb = "upload",
	.names = "vol-upload",
	.arguments = "VOLUME FILE",
	.summary = "Write what a file has into a volume, as it is ('-': from stdin)",
	.options = (const struct cli_option[]){ ROWS_TRANSFER, VOL_ROW_NO_SYNC, CLI_ROW_END },
	.what = { CLI_VOLUME, CLI_FILE },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BRIEF,
	.run = run_upload,
};

/* ---- down ---- */

struct target {
	int fd;
	const char *path;
	bool file; /* holes can be left out */
};

/* What cannot have holes gets zeroes. */
static bool write_hole(const struct target *target, uint64_t len, GError **error)
{
	static const uint8_t zeroes[1 << 16];

	if (target->file) {
		off_t at = sys_lseek(target->fd, (off_t)len, SEEK_CUR);

		return at >= 0 || error_sys(error, (int)at, "cannot write '%s'", target->path);
	}
	while (len > 0) {
		size_t n = (size_t)MIN(len, sizeof(zeroes));
		ssize_t ret = sys_write_full(target->fd, zeroes, n);

		if (ret < 0)
			return error_sys(error, (int)ret, "cannot write '%s'", target->path);
		len -= n;
	}
	return true;
}

static bool receive_hole(struct socle_stream *stream, const struct target *target,
			 struct progress *progress, GError **error)
{
	struct socle_error *why = NULL;
	int64_t len = 0;

	if (socle_stream_recv_hole(stream, &len, &why) < 0)
		return cli_fail(error, why, NULL);
	progress->holes += (uint64_t)len;
	return write_hole(target, (uint64_t)len, error);
}

static bool receive(struct socle_stream *stream, const struct target *target,
		    struct progress *progress, GError **error)
{
	g_autofree uint8_t *piece = g_malloc(PIECE);

	for (;;) {
		struct socle_error *why = NULL;
		ssize_t got = socle_stream_recv(stream, piece, PIECE, &why), ret;

		if (got == SOCLE_STREAM_HOLE) {
			if (!receive_hole(stream, target, progress, error))
				return false;
			progress_tell(progress, false);
			continue;
		}
		if (got < 0)
			return cli_fail(error, why, NULL);
		if (got == 0)
			break;
		ret = sys_write_full(target->fd, piece, (size_t)got);
		if (ret < 0)
			return error_sys(error, (int)ret, "cannot write '%s'", target->path);
		progress->data += (uint64_t)got;
		progress_tell(progress, false);
		if (!interrupt_check(error))
			return false;
	}
	/* A hole at the end has no byte behind it. */
	if (target->file) {
		off_t end = sys_lseek(target->fd, 0, SEEK_CUR);
		int ret = end < 0 ? (int)end : sys_ftruncate(target->fd, end);

		return ret >= 0 || error_sys(error, ret, "cannot write '%s'", target->path);
	}
	return true;
}

static bool download(struct socle_volume *vol, const struct target *target,
		     const struct vol_transfer *transfer, GError **error)
{
	struct socle_error *why = NULL;
	struct progress progress;
	struct socle_volume_info info = { .capacity = 0 };
	SOCLE_AUTO(stream) stream = NULL;
	bool by_daemon, ok;

	if (target->file && transfer->sparse)
		stream = socle_volume_download_fd(vol, transfer->offset, transfer->length,
						  target->fd, NULL);
	by_daemon = stream != NULL;
	if (!stream)
		stream = socle_volume_download(vol, transfer->offset, transfer->length,
					       transfer->sparse ? SOCLE_VOLUME_SPARSE : 0, 0, &why);
	if (!stream)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	/* Only to say how far it is. */
	if (transfer->progress)
		(void)socle_volume_info(vol, SOCLE_VOLUME_INFO_PHYSICAL, &info, NULL);
	progress_init(&progress, transfer->progress,
		      transfer->length ? transfer->length : info.allocation);
	ok = by_daemon ? wait_for_copy(stream, target->fd, 0, &progress, error)
		       : receive(stream, target, &progress, error);
	progress_tell(&progress, true);
	if (ok && socle_stream_finish(stream, &why) < 0)
		ok = cli_fail(error, why, NULL);
	if (!ok)
		g_prefix_error(error, "volume '%s': ", socle_volume_name(vol));
	return ok;
}

static bool download_to_file(struct socle_volume *vol, const char *path,
			     const struct vol_transfer *transfer, GError **error)
{
	struct out_file out;
	struct target target;
	bool ok;

	if (!out_file_open(&out, path, error))
		return false;
	target = (struct target){ .fd = out.fd, .path = out.written, .file = out.plain };
	/* Ctrl-C is not to leave it. */
	interrupt_begin();
	ok = download(vol, &target, transfer, error);
	interrupt_end();
	return out_file_close(&out, ok, error);
}

static int run_download(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *path = cli_args_word(args, 1);
	struct vol_transfer transfer;
	SOCLE_AUTO(volume) vol = NULL;

	if (!transfer_of(cli, args, &transfer, error))
		return CLI_USAGE;
	vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	if (!vol)
		return CLI_FAILED;
	if (!strcmp(path, "-")) {
		struct target target = { .fd = STDOUT_FILENO, .path = path };

		return download(vol, &target, &transfer, error) ? CLI_OK : CLI_FAILED;
	}
	if (!download_to_file(vol, path, &transfer, error))
		return CLI_FAILED;
	cli_done_object(cli, &object_volume, vol, "download", "is in the file");
	return CLI_OK;
}

const struct cli_command cli_vol_download = {
	.noun = "vol",
	.verb = "download",
	.names = "vol-download",
	.arguments = "VOLUME FILE",
	.summary = "Write what a volume has into a file, as it is ('-': to stdout)",
	.options = (const struct cli_option[]){ ROWS_TRANSFER, CLI_ROW_END },
	.what = { CLI_VOLUME, CLI_FILE },
	.min = 2,
	.max = 2,
	.flags = CLI_BRIEF,
	.run = run_download,
};
