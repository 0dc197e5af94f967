/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-journal.c - a file is changed, and is then what it was
 */
#include "img/journal.h"

#include <string.h>

enum {
	SIZE = 300000,
	LIMIT = 8 << 20
};

/* Stays open when the journal that has it is closed. */
struct kept {
	struct block_file base;
	struct block_file *file;
};

static struct block_file *file_of(struct block_file *base)
{
	return container_of(base, struct kept, base)->file;
}

static ssize_t kept_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	return file_of(base)->ops->read(file_of(base), off, buf, len);
}

static int kept_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	return block_file_write(file_of(base), off, buf, len);
}

static int kept_sync(struct block_file *base)
{
	return block_file_sync(file_of(base));
}

static int64_t kept_size(struct block_file *base)
{
	return block_file_size(file_of(base));
}

static int kept_resize(struct block_file *base, uint64_t size)
{
	return block_file_resize(file_of(base), size);
}

static int kept_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	return file_of(base)->ops->punch(file_of(base), off, len);
}

static void kept_close(struct block_file *base)
{
	(void)base;
}

static const struct block_file_ops kept_ops = {
	.read = kept_read,
	.write = kept_write,
	.sync = kept_sync,
	.size = kept_size,
	.resize = kept_resize,
	.punch = kept_punch,
	.close = kept_close,
};

static void change(struct block_file *file, GRand *rand)
{
	g_autofree uint8_t *bytes = g_malloc(50000);
	uint64_t off = (uint64_t)g_rand_int_range(rand, 0, SIZE);
	size_t len = (size_t)g_rand_int_range(rand, 1, 50000);
	int64_t size = block_file_size(file);

	memset(bytes, g_rand_int_range(rand, 0, 255), len);
	switch (g_rand_int_range(rand, 0, 4)) {
	case 0:
		g_assert_cmpint(block_file_resize(file, off), ==, 0);
		break;
	case 1:
		if (off + len <= (uint64_t)size)
			g_assert_cmpint(block_file_punch(file, off, len), ==, 0);
		break;
	default:
		g_assert_cmpint(block_file_write(file, off, bytes, len), ==, 0);
	}
}

static void test_undo(void)
{
	GRand *rand = g_rand_new_with_seed(11);
	g_autofree uint8_t *before = g_malloc(SIZE);
	g_autofree uint8_t *after = g_malloc(SIZE);

	for (unsigned i = 0; i < SIZE; i++)
		before[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned round = 0; round < 100; round++) {
		autoptr(block_file) file = block_file_scratch(LIMIT);
		autoptr(block_file) log = block_file_scratch(LIMIT);
		struct kept kept_file = { { &kept_ops, { 0 } }, file },
			    kept_log = { { &kept_ops, { 0 } }, log };
		struct block_file *journal;

		g_assert_cmpint(block_file_write(file, 0, before, SIZE), ==, 0);
		journal = journal_new(&kept_file.base, &kept_log.base, "log", NULL);
		g_assert_true(journal_is_empty(journal));
		for (unsigned i = 0; i < 20; i++)
			change(journal, rand);
		block_file_close(journal);
		g_assert_true(journal_undo(file, log, "log", NULL));
		g_assert_cmpint(block_file_size(file), ==, SIZE);
		g_assert_cmpint(block_file_read(file, 0, after, SIZE), ==, 0);
		g_assert_true(!memcmp(before, after, SIZE));
	}
	g_rand_free(rand);
}

static void test_full(void)
{
	autoptr(block_file) file = block_file_scratch(LIMIT);
	autoptr(block_file) log = block_file_scratch(100);
	struct kept kept_file = { { &kept_ops, { 0 } }, file },
		    kept_log = { { &kept_ops, { 0 } }, log };
	struct block_file *journal;
	uint8_t bytes[512] = { 1 }, after[512];

	g_assert_cmpint(block_file_write(file, 0, bytes, sizeof(bytes)), ==, 0);
	journal = journal_new(&kept_file.base, &kept_log.base, "log", NULL);
	/* What cannot be kept is not changed. */
	memset(after, 7, sizeof(after));
	g_assert_cmpint(block_file_write(journal, 0, after, sizeof(after)), <, 0);
	g_assert_cmpint(block_file_read(journal, 0, after, sizeof(after)), ==, 0);
	g_assert_true(!memcmp(bytes, after, sizeof(bytes)));
	block_file_close(journal);
}

static void test_none(void)
{
	static const uint8_t bytes[] = "what is no journal, but long enough";
	autoptr(block_file) file = block_file_scratch(LIMIT);
	autoptr(block_file) log = block_file_memory(bytes, sizeof(bytes));
	g_autoptr(GError) error = NULL;

	g_assert_false(journal_undo(file, log, "x", &error));
	g_assert_cmpstr(error->message, ==, "'x' is not a journal");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/img/journal/undo", test_undo);
	g_test_add_func("/img/journal/full", test_full);
	g_test_add_func("/img/journal/none", test_none);
	return g_test_run();
}
