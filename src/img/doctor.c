/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.c - socle-img doctor: explain what is wrong with an image, and mend it
 *
 * For the person whose machine does not start any more. It says in plain words what was found, what
 * that means for the data, and what a repair would do; with --repair it does that, and keeps a
 * journal by which --undo takes it back.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/journal.h"

enum {
	MAX_FINDINGS = 20, /* are printed one by one */
	CORRUPT = 2,
	LEAKS = 3,
};

struct doctor {
	char *journal, *undo;
	gboolean repair;
	unsigned printed;
};

static void print_finding(void *opaque, enum qcow2_finding finding, const char *text)
{
	struct doctor *d = opaque;

	if (d->printed++ < MAX_FINDINGS)
		printf("  %s %s\n", finding == QCOW2_LEAK ? "wasted:" : "WRONG: ", text);
}

static void explain_header(const struct qcow2_header *header)
{
	if (header->incompatible & QCOW2_CORRUPT)
		printf("It is marked as corrupt: whoever used it last found metadata where data "
		       "was to go, and stopped. It can be read, and is not written to until it is "
		       "repaired.\n");
	if (header->incompatible & QCOW2_DIRTY)
		printf("It was not closed: its counts of clusters may be out of date, which a "
		       "repair mends without any loss.\n");
}

static void explain(const struct qcow2_check *check)
{
	if (!check->leaks && !check->corruptions) {
		printf("Nothing is wrong with it.\n");
		return;
	}
	if (check->leaks)
		printf("%" G_GUINT64_FORMAT " clusters are counted as used, and nothing uses them. "
		       "That is wasted space, as after a power cut; no data is at risk.\n",
		       check->leaks);
	if (check->corruptions)
		printf("%" G_GUINT64_FORMAT
		       " places are corrupt. Where a count is too low, data is "
		       "still right, but the next writer may put other data in its place: do not "
		       "write to the image before it is repaired. Where an entry points nowhere, "
		       "what was there is lost, and will read as an error or as zero.\n",
		       check->corruptions);
}

static void advise(const char *path, const struct qcow2_check *check)
{
	if (check->leaks || check->corruptions)
		printf("To mend it: socle-img doctor --repair %s\n"
		       "(A journal of all changes is kept, by which they can be taken back.)\n",
		       path);
}

/* What cannot even be opened as qcow2. */
static int not_qcow2(const char *path, struct block_file *file, const GError *why)
{
	uint8_t magic[4] = { 0 };
	autoptr(image) image = NULL;

	(void)block_file_read(file, 0, magic, sizeof(magic));
	if (!memcmp(magic, "QFI\xfb", 4)) {
		printf("'%s' begins like a qcow2 image, but its header is not right: %s\n"
		       "A header cannot be guessed. If there is an older copy of the image, its "
		       "first cluster may be put in the place of this one's.\n",
		       path, why->message);
		return CORRUPT;
	}
	image = image_open(path, NULL, IMAGE_NO_LOCK | IMAGE_CHECK, NULL);
	if (!image || image->ops == image_formats[0])
		printf("'%s' is a raw image, or of a format that is not known here. A raw image "
		       "has "
		       "no structure that could be wrong; if the guest does not start from it, its "
		       "file system needs the doctor.\n",
		       path);
	else
		printf("'%s' is a %s image and could be opened; there is no more to be checked.\n",
		       path, image->ops->format);
	return IMG_OK;
}

static int examine(struct doctor *d, const char *path, struct block_file *file, GError **error)
{
	const struct qcow2_check_listener listener = { .found = print_finding, .opaque = d };
	g_autoptr(GError) why = NULL;
	autoptr(qcow2_header) header = qcow2_header_read(path, file, &why);
	struct qcow2_check check;

	if (!header)
		return not_qcow2(path, file, why);
	printf("'%s' is a qcow2 image, version %u, of %" G_GUINT64_FORMAT " bytes.\n", path,
	       header->version, header->size);
	explain_header(header);
	if (!qcow2_check(path, file, header, &listener, &check, error))
		return IMG_FAILED;
	if (d->printed > MAX_FINDINGS)
		printf("  ... and %u more\n", d->printed - MAX_FINDINGS);
	explain(&check);
	advise(path, &check);
	return check.corruptions ? CORRUPT : check.leaks ? LEAKS : IMG_OK;
}

static int repair(struct doctor *d, const char *path, GError **error)
{
	const struct qcow2_check_listener listener = { .found = print_finding, .opaque = d };
	struct block_file *plain = block_file_open(path, BLOCK_FILE_WRITE, error);
	g_autofree char *name =
		d->journal ? g_strdup(d->journal) : g_strconcat(path, ".journal", NULL);
	autoptr(block_file) file = plain ? journal_new(plain, name, error) : NULL;
	struct qcow2_check before = { 0 }, after = { 0 };
	struct qcow2_repaired repaired = { 0 };

	if (!file || !qcow2_repair(path, file, QCOW2_REPAIR_ALL, &listener, &before, &after,
				   &repaired, error))
		return IMG_FAILED;
	printf("Mended: %" G_GUINT64_FORMAT " corruptions, %" G_GUINT64_FORMAT
	       " leaks. %u places of the file were changed; to take that back:\n"
	       "  socle-img doctor --undo %s %s\n",
	       repaired.corruptions, repaired.leaks, journal_changes(file), name, path);
	explain(&after);
	return after.corruptions ? CORRUPT : after.leaks ? LEAKS : IMG_OK;
}

static int undo(const struct doctor *d, const char *path, GError **error)
{
	autoptr(block_file) file = block_file_open(path, BLOCK_FILE_WRITE, error);
	unsigned changes;

	if (!file || !journal_undo(file, d->undo, &changes, error))
		return IMG_FAILED;
	printf("Taken back: %u changes.\n", changes);
	return IMG_OK;
}

static int run(struct doctor *d, const char *path, GError **error)
{
	autoptr(block_file) file = NULL;

	if (d->undo)
		return undo(d, path, error);
	if (d->repair)
		return repair(d, path, error);
	file = block_file_open(path, BLOCK_FILE_SHARED, error);
	return file ? examine(d, path, file, error) : IMG_FAILED;
}

int img_doctor(const struct img_command *command, int argc, char **argv)
{
	struct doctor d = { .repair = FALSE };
	const GOptionEntry entries[] = {
		{ "repair", 'r', 0, G_OPTION_ARG_NONE, &d.repair, "mend it", NULL },
		{ "journal", 0, 0, G_OPTION_ARG_FILENAME, &d.journal,
		  "where old contents are kept (FILE.journal)", "FILE" },
		{ "undo", 0, 0, G_OPTION_ARG_FILENAME, &d.undo, "take back what a repair did",
		  "JOURNAL" },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 1, 1, &status)) {
		status = run(&d, argv[1], &error);
		if (error)
			status = img_fail(error);
	}
	g_free(d.journal);
	g_free(d.undo);
	return status;
}
