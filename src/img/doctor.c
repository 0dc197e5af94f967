/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.c - socle-img doctor: what is wrong with an image, in plain words; mend it, or undo that
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2.h"
#include "img/check.h"
#include "img/journal.h"

enum {
	HEALTHY = 0,
	CANNOT = 1,
	CORRUPT = 2,
	LEAKS = 3,
	MAX_QUOTED = 5, /* findings that are given as they are */
};

struct patient {
	const char *path;
	const struct qcow2_header *header;
	GString *quoted;
	unsigned findings;
};

static void note(void *opaque, enum qcow2_finding finding, const char *text)
{
	struct patient *patient = opaque;

	if (finding != QCOW2_LEAK && patient->findings++ < MAX_QUOTED)
		g_string_append_printf(patient->quoted, "  %s\n", text);
}

static void say_marks(const struct qcow2_header *header)
{
	if (header->incompatible & QCOW2_DIRTY)
		img_out("It is marked dirty: whoever wrote to it last did not close it. Its counts "
			"of clusters\nin use are out of date; they can be made anew, and nothing "
			"is "
			"lost by that.\n");
	if (header->incompatible & QCOW2_CORRUPT)
		img_out("It is marked corrupt: somebody met something that cannot be, and so "
			"nobody writes to\nit any more until it is repaired.\n");
	if (header->crypt != QCOW2_CRYPT_NONE)
		img_out("It is encrypted; its contents are not looked at here.\n");
}

/* Names are only looked for: what an image names is not opened. */
static void say_names(const struct patient *patient)
{
	const struct qcow2_header *header = patient->header;
	g_autofree char *behind = NULL;

	if (!header->backing_file)
		return;
	behind = image_resolve(patient->path, header->backing_file);
	img_out("It has only what differs from '%s', which must not change.\n", behind);
	if (!g_file_test(behind, G_FILE_TEST_EXISTS))
		img_out("That is not there: without it all that is not in this image itself is "
			"lost. If it was\nmoved, tell the new name: socle-img rebase -u -b FILE -F "
			"FORMAT %s\n",
			patient->path);
	if (!header->backing_format)
		img_out("It does not say which format that has, so it is not opened; tell it: "
			"socle-img rebase\n-u -b %s -F FORMAT %s\n",
			header->backing_file, patient->path);
}

static void say_findings(const struct patient *patient, const struct qcow2_check *check)
{
	g_autofree char *wasted =
		img_human_size(check->leaks << MIN(patient->header->cluster_bits, 30));

	if (!check->leaks && !check->corruptions)
		img_out("Its tables and counts agree. Nothing is wrong with it.\n");
	if (check->leaks)
		img_out("%" PRIu64 " clusters (%s) count as in use though nothing uses them: space "
			"is wasted, no data\nis lost. A repair gives the space back.\n",
			check->leaks, wasted);
	if (!check->corruptions)
		return;
	img_out("%" PRIu64 " entries are wrong. As long as nobody writes to the image nothing more "
		"is lost;\nwriting to it may overwrite data that is in use. The first ones:\n%s",
		check->corruptions, patient->quoted->str);
	img_out("A repair makes counts and flags what the tables say. It changes no data of the "
		"guest;\nwhat a wrong table points to cannot be brought back by it. Make a copy "
		"of what can be\nread first: socle-img convert --salvage -O qcow2 %s NEW-IMAGE\n",
		patient->path);
}

static int status_of(const struct qcow2_check *check)
{
	if (check->corruptions)
		return CORRUPT;
	return check->leaks ? LEAKS : HEALTHY;
}

/* What a repair would need to be asked for. */
static void say_how(const struct patient *patient, const struct qcow2_check *check)
{
	bool marked = patient->header->incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT);

	if (marked || check->leaks || check->corruptions)
		img_out("To repair it: socle-img doctor --repair %s\n", patient->path);
}

static int look(const char *path, struct block_file *file, const struct qcow2_header *header,
		bool advise, GError **error)
{
	struct patient patient = { .path = path, .header = header, .quoted = g_string_new(NULL) };
	struct qcow2_check_listener listener = { .found = note, .opaque = &patient };
	g_autofree char *size = img_human_size(header->size);
	struct qcow2_check check;
	int status = CANNOT;

	img_out("'%s' is a qcow2 image of %s.\n", path, size);
	say_marks(header);
	say_names(&patient);
	if (qcow2_check(path, file, header, &listener, &check, error)) {
		say_findings(&patient, &check);
		if (advise)
			say_how(&patient, &check);
		status = status_of(&check);
	}
	g_string_free(patient.quoted, TRUE);
	return status;
}

static int repair(const char *path, struct block_file *owned, const char *journal_path,
		  GError **error)
{
	struct block_file *log = block_file_open(journal_path, BLOCK_FILE_CREATE, error);
	autoptr(block_file) file = NULL;
	struct qcow2_check before, after;
	struct qcow2_repaired repaired = { 0, 0 };
	bool ok;

	if (!log) {
		block_file_close(owned);
		return CANNOT;
	}
	file = journal_new(owned, log, journal_path, error);
	if (!file)
		return CANNOT;
	ok = qcow2_repair(path, file, QCOW2_REPAIR_ALL, NULL, &before, &after, &repaired, error);
	if (journal_is_empty(file)) {
		(void)sys_unlink(journal_path);
		if (ok)
			img_out("There was nothing to be repaired.\n");
		return ok ? status_of(&after) : CANNOT;
	}
	img_out("What was changed is kept in '%s'. To undo it, before anybody writes to the "
		"image:\nsocle-img doctor --undo --journal %s %s\n",
		journal_path, journal_path, path);
	if (!ok)
		return CANNOT;
	img_out("Repaired: %" PRIu64 " wrong entries, %" PRIu64 " leaks. Left: %" PRIu64
		" and %" PRIu64 ".\n",
		repaired.corruptions, repaired.leaks, after.corruptions, after.leaks);
	return status_of(&after);
}

/* Of other formats: can it be opened, and all of it be found? */
static int look_other(const struct img_args *args, const char *path, GError **error)
{
	autoptr(image) image = img_open_arg(args, path, 0, IMAGE_CHECK | IMAGE_LOCKED, error);
	g_autofree char *size = NULL;
	uint64_t off = 0;

	if (!image)
		return CANNOT;
	size = img_human_size(image->size);
	img_out("'%s' is an image of format '%s', of %s.\n", path, image->ops->format, size);
	while (off < image->size) {
		struct image_extent extent;

		if (!image_map(image, off, image->size - off, &extent, error))
			return CORRUPT;
		off += MAX(extent.len, IMG_SECTOR);
	}
	img_out("All of its tables can be read. This format has no counts that could be wrong.\n");
	return HEALTHY;
}

static int see(const struct img_args *args, const char *path, struct block_file *owned,
	       const char *journal_path, GError **error)
{
	autoptr(block_file) file = owned;
	autoptr(qcow2_header) header = NULL;
	uint8_t head[4];
	int ret = block_file_read(file, 0, head, sizeof(head));
	int status;

	if (ret < 0) {
		error_sys(error, ret, "cannot read image '%s'", path);
		return CANNOT;
	}
	if (memcmp(head, "QFI\xfb", 4) != 0) {
		g_clear_pointer(&file, block_file_close);
		return look_other(args, path, error);
	}
	header = img_check_header(path, file, error);
	if (!header)
		return CANNOT;
	status = look(path, file, header, !img_args_has(args, IMG_OPTION_REPAIR), error);
	if (!img_args_has(args, IMG_OPTION_REPAIR) || *error)
		return status;
	return repair(path, g_steal_pointer(&file), journal_path, error);
}

static int undo(const char *path, struct block_file *owned, const char *journal_path,
		GError **error)
{
	autoptr(block_file) file = owned;
	autoptr(block_file) log = block_file_open(journal_path, 0, error);

	if (!log || !journal_undo(file, log, journal_path, error))
		return CANNOT;
	img_out("'%s' is what it was before the repair.\n", path);
	return HEALTHY;
}

static int doctor(const struct img_args *args, GError **error)
{
	const char *path = img_args_word(args, 0), *word = img_args_value(args, IMG_OPTION_JOURNAL);
	bool undoes = img_args_has(args, IMG_OPTION_UNDO);
	bool writes = undoes || img_args_has(args, IMG_OPTION_REPAIR);
	g_autofree char *journal_path = word ? g_strdup(word) : g_strconcat(path, ".journal", NULL);
	struct block_file *file = block_file_open(path, writes ? BLOCK_FILE_WRITE : 0, error);

	if (!file)
		return CANNOT;
	return undoes ? undo(path, file, journal_path, error)
		      : see(args, path, file, journal_path, error);
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,
	{ IMG_OPTION_REPAIR, "repair", NULL, "mend what can be mended" },
	{ IMG_OPTION_JOURNAL, "journal", "FILE", "keeps what was there (default: IMAGE.journal)" },
	{ IMG_OPTION_UNDO, "undo", NULL, "let the image be what the journal says it was" },
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_doctor = {
	.name = "doctor",
	.arguments = "IMAGE",
	.summary = "Explain what is wrong with an image; mend it, and undo that",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = CANNOT,
	.run = doctor,
};
