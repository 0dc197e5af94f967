/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iso.c - files on the image of a CD: ISO 9660 (ECMA-119), with the names of Joliet or Rock Ridge if it has any
 *
 * From sector 16 on there are descriptors, each with the record of a topmost folder. A folder is records in a
 * row, none of which crosses a sector; a record has where its file begins, how long that is, and a name. Joliet
 * has a tree of its own with names in UCS-2. Rock Ridge puts names behind the ones of ISO 9660, as entries
 * "NM". Without either a name is in capitals, with a version behind a semicolon.
 *
 * The image is hostile: what is read is bounded, and a path has as many folders as it says, so nothing loops.
 */
#include "cli/iso.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"

enum {
	SECTOR = 2048,
	AT_DESCRIPTORS = 16,
	DESCRIPTORS_MAX = 32,
	PRIMARY = 1,
	SUPPLEMENTARY = 2,
	LAST = 255,
	ESCAPES = 88,      /* in a descriptor: "%/@", "%/C" or "%/E" is Joliet */
	ROOT_RECORD = 156, /* the same */
	RECORD_LEN = 33,   /* without the name */
	NAME_MAX_LEN = 256,
	RIDGE_FLAGS = 4, /* in an entry "NM" */
	RIDGE_NAME = 5,
	FOLDER = 1 << 1, /* among the flags of a record */
	FOLDER_MAX = 4 << 20,
	FILE_MAX = 1 << 30,
	PIECE = 1 << 20,
};

struct extent {
	uint64_t off;
	uint32_t len;
	bool folder;
};

static bool read_at(int fd, uint64_t off, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = sys_pread(fd, (uint8_t *)to + done, len - done, (off_t)(off + done));

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static struct extent extent_of(const uint8_t *record)
{
	return (struct extent){
		.off = (uint64_t)get_le32(record + 2) * SECTOR,
		.len = get_le32(record + 10),
		.folder = record[25] & FOLDER,
	};
}

/* ---- names ---- */

static void name_of_joliet(const uint8_t *record, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i + 1 < record[32]; i += 2) {
		uint16_t letter = get_be16(record + RECORD_LEN + i);

		/* Whom we look for is in ASCII. */
		ret[len++] = letter < 0x80 ? (char)letter : '?';
	}
	ret[len] = '\0';
}

/* True: it has one. */
static bool name_of_ridge(const uint8_t *record, char *ret)
{
	size_t at = RECORD_LEN + record[32] + !(record[32] & 1), len = 0;
	const size_t end = record[0];

	while (at + RIDGE_NAME <= end && record[at + 2] >= RIDGE_NAME &&
	       at + record[at + 2] <= end) {
		size_t size = record[at + 2] - (size_t)RIDGE_NAME;

		if (!memcmp(record + at, "NM", 2) && !(record[at + RIDGE_FLAGS] & ~1)) {
			memcpy(ret + len, record + at + RIDGE_NAME, size);
			len += size;
		}
		at += record[at + 2];
	}
	ret[len] = '\0';
	return len > 0;
}

static void name_of_plain(const uint8_t *record, char *ret)
{
	size_t len = 0;

	while (len < record[32] && record[RECORD_LEN + len] != ';') {
		ret[len] = g_ascii_tolower((char)record[RECORD_LEN + len]);
		len++;
	}
	if (len && ret[len - 1] == '.')
		len--;
	ret[len] = '\0';
}

static void name_of(const uint8_t *record, bool joliet, char ret[NAME_MAX_LEN])
{
	if (joliet)
		name_of_joliet(record, ret);
	else if (!name_of_ridge(record, ret))
		name_of_plain(record, ret);
}

/* ---- folders ---- */

/* The topmost one; that of Joliet if there is one. */
static bool find_root(int fd, struct extent *ret_root, bool *ret_joliet)
{
	bool found = false;

	*ret_joliet = false;
	for (unsigned i = 0; i < DESCRIPTORS_MAX; i++) {
		uint8_t d[SECTOR];
		bool joliet;

		if (!read_at(fd, (uint64_t)(AT_DESCRIPTORS + i) * SECTOR, d, sizeof(d)) ||
		    memcmp(d + 1, "CD001", 5) != 0 || d[0] == LAST)
			break;
		joliet = d[0] == SUPPLEMENTARY && !memcmp(d + ESCAPES, "%/", 2) &&
			 memchr("@CE", d[ESCAPES + 2], 3);
		if ((d[0] != PRIMARY && !joliet) || (found && !joliet))
			continue;
		*ret_root = extent_of(d + ROOT_RECORD);
		*ret_joliet = joliet;
		found = true;
	}
	return found;
}

static bool find_in(const uint8_t *folder, size_t len, const char *name, bool joliet,
		    struct extent *ret)
{
	for (size_t at = 0; at + RECORD_LEN < len;) {
		const uint8_t *record = folder + at;
		size_t left = SECTOR - at % SECTOR;
		char its[NAME_MAX_LEN];

		/* The rest of a sector has none. */
		if (record[0] <= RECORD_LEN) {
			at += left;
			continue;
		}
		if (record[0] > MIN(left, len - at) || RECORD_LEN + record[32] > record[0])
			return false;
		name_of(record, joliet, its);
		if (!strcmp(its, name)) {
			*ret = extent_of(record);
			return true;
		}
		at += record[0];
	}
	return false;
}

static bool corrupt(GError **error)
{
	return error_set(error, SOCLE_ERROR_CORRUPT, "the CD's image is damaged, or not complete");
}

static bool find(int fd, const char *path, struct extent *ret, GError **error)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);
	bool joliet;

	if (!find_root(fd, ret, &joliet))
		return error_set(error, SOCLE_ERROR_CORRUPT, "it is no CD's image");
	ret->folder = true;
	for (unsigned i = 0; names[i]; i++) {
		g_autofree uint8_t *folder = NULL;

		if (!ret->folder)
			return error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no '%s'", path);
		if (ret->len > FOLDER_MAX)
			return corrupt(error);
		folder = g_malloc(MAX(ret->len, 1));
		if (!read_at(fd, ret->off, folder, ret->len))
			return corrupt(error);
		if (!find_in(folder, ret->len, names[i], joliet, ret))
			return error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no '%s'", path);
	}
	return !ret->folder || error_set(error, SOCLE_ERROR_NOT_FOUND, "'%s' is a folder", path);
}

/* ---- files ---- */

bool iso_is(int fd)
{
	struct extent root;
	bool joliet;

	return find_root(fd, &root, &joliet);
}

int iso_open_file(int fd, const char *path, GError **error)
{
	g_autofree uint8_t *piece = g_malloc(PIECE);
	autofd int copy = -1;
	struct extent file;

	if (!find(fd, path, &file, error))
		return -1;
	if (file.len > FILE_MAX) {
		error_set(error, SOCLE_ERROR_LIMIT, "'%s' is larger than 1 GiB", path);
		return -1;
	}
	copy = sys_memfd("from-cd");
	if (copy < 0) {
		error_sys(error, copy, "cannot copy '%s'", path);
		return -1;
	}
	for (uint32_t at = 0; at < file.len;) {
		size_t len = MIN(file.len - at, (uint32_t)PIECE);
		ssize_t ret;

		if (!read_at(fd, file.off + at, piece, len)) {
			corrupt(error);
			return -1;
		}
		ret = sys_write_full(copy, piece, len);
		if (ret < 0) {
			error_sys(error, (int)ret, "cannot copy '%s'", path);
			return -1;
		}
		at += (uint32_t)len;
	}
	return fd_steal(&copy);
}
