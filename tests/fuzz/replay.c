/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - main() for a fuzz target without libFuzzer: run it over files and folders once
 *
 * So every input that ever mattered is a plain test, with any compiler and any sanitizer.
 */
#include <stdint.h>
#include <stdio.h>

#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may have one; libFuzzer calls it first. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Return the number of inputs run, or -1. */
static int replay(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = NULL;
	g_autofree char *text = NULL;
	const char *name;
	size_t size;
	int total = 0;

	if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
		if (!g_file_get_contents(path, &text, &size, &error)) {
			(void)fprintf(stderr, "replay: %s\n", error->message);
			return -1;
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
		return 1;
	}

	dir = g_dir_open(path, 0, &error);
	if (!dir) {
		(void)fprintf(stderr, "replay: %s\n", error->message);
		return -1;
	}
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		int count = replay(inner);

		if (count < 0)
			return -1;
		total += count;
	}
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;

	if (LLVMFuzzerInitialize)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int count = replay(argv[i]);

		if (count <= 0) {
			(void)fprintf(stderr, "replay: no input in '%s'\n", argv[i]);
			return 1;
		}
		total += count;
	}
	if (total == 0) {
		(void)fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
		return 1;
	}
	printf("%d inputs\n", total);
	return 0;
}
