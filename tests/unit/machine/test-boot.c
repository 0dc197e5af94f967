/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-boot.c - kernel files: what opens, what is refused in which words, and failing reads
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "boot-test.h"

static const struct span no_initrd;

struct files {
	char *dir, *kernel, *initrd;
	struct boot_config config;
};

static void files_init(struct files *files)
{
	files->dir = g_dir_make_tmp("test-boot-XXXXXX", NULL);
	g_assert_nonnull(files->dir);
	files->kernel = g_build_filename(files->dir, "kernel", NULL);
	files->initrd = g_build_filename(files->dir, "initrd", NULL);
	files->config = (struct boot_config){ .kernel = files->kernel, .cmdline = "words" };
}

static void files_release(struct files *files)
{
	(void)remove(files->kernel);
	(void)remove(files->initrd);
	g_assert_cmpint(remove(files->dir), ==, 0);
	g_free(files->kernel);
	g_free(files->initrd);
	g_free(files->dir);
}

static void put_file(const char *path, struct span bytes)
{
	g_assert_true(g_file_set_contents_full(path, (const char *)bytes.p, (gssize)bytes.len,
					       G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Overwrite in place: the same inode, as a careless copy does. */
static void overwrite(const char *path, struct span bytes)
{
	FILE *f = fopen(path, "we");

	g_assert_nonnull(f);
	g_assert_cmpuint(fwrite(bytes.p, 1, bytes.len, f), ==, bytes.len);
	g_assert_cmpint(fclose(f), ==, 0);
}

/* "cannot open kernel '%s': ..." with the path in it. */
static void assert_open_fails(const struct files *files, const char *format)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) words = g_string_new(format);

	(void)g_string_replace(words, "%s", files->kernel, 0);
	g_assert_null(boot_open(&files->config, &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, words->str);
}

static void test_file(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_XZ), initrd = bytes_noise(6000, 3);
	g_autoptr(GError) error = NULL;
	autoptr(boot) boot = NULL;
	struct files files;
	struct guest guest;

	files_init(&files);
	files.config.initrd = files.initrd;
	put_file(files.kernel, span_of(image));
	put_file(files.initrd, span_of(initrd));
	guest_init(&guest, 64);
	boot = boot_open(&files.config, &error);
	g_assert_no_error(error);
	g_assert_cmpint(boot_kind(boot), ==, BOOT_BZIMAGE_UNPACKED);

	/* Twice, the second time with the files gone: they are open. */
	for (unsigned i = 0; i < 2; i++) {
		mem_clear(guest.mem);
		memset(guest.state, 0, sizeof(*guest.state));
		g_assert_true(
			boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
		g_assert_cmphex(guest.state->rip, ==, 0x1000010);
		assert_bytes(&guest, (64 << 20) - 0x2000, initrd->data, initrd->len);
		assert_bytes(&guest, 0x20000, "words", 6);
		(void)remove(files.kernel);
		(void)remove(files.initrd);
	}
	guest_release(&guest);
	files_release(&files);
}

static void test_unreadable(void)
{
	struct files files;

	files_init(&files);
	assert_open_fails(&files, "cannot open kernel '%s': No such file or directory");
	put_file(files.kernel, (struct span){ (const uint8_t *)"", 0 });
	assert_open_fails(&files, "kernel '%s' is empty: it was not written completely");
	(void)remove(files.kernel);

	g_assert_cmpint(mkdir(files.kernel, 0700), ==, 0);
	assert_open_fails(&files, "kernel '%s' is a directory: name a file with the image in it");
	(void)remove(files.kernel);

	/* Must not wait for a writer. */
	g_assert_cmpint(mkfifo(files.kernel, 0600), ==, 0);
	assert_open_fails(&files, "kernel '%s' is not a regular file: "
				  "name a file with the image in it");
	(void)remove(files.kernel);

	put_file(files.kernel, (struct span){ (const uint8_t *)"#!/bin/sh\n", 10 });
	sys_fail_nth(SYS_OPEN, 1, EACCES);
	assert_open_fails(&files, "cannot open kernel '%s': Permission denied");
	sys_fail_nth(SYS_FSTAT, 1, EIO);
	assert_open_fails(&files, "cannot read kernel '%s': Input/output error");
	assert_open_fails(&files, "kernel '%s' is no kernel that Socle knows "
				  "(bzImage, ELF with a PVH note, multiboot)");
	files_release(&files);
}

static void test_too_large(void)
{
	struct files files;

	files_init(&files);
	put_file(files.kernel, (struct span){ (const uint8_t *)"x", 1 });
	g_assert_cmpint(truncate(files.kernel, 2l << 30), ==, 0);
	assert_open_fails(&files, "kernel '%s' has 2048 MiB, more than any kernel (1024 MiB): "
				  "give the kernel, not a disk image");
	files_release(&files);
}

static void test_strangers(void)
{
	static const struct {
		size_t at;
		const char *magic, *words;
	} cases[] = {
		{ 0x38, "ARM\x64",
		  "is a kernel for 64-bit ARM: this is an x86-64 machine, "
		  "give it an x86-64 kernel" },
		{ 0x24, "\x18\x28\x6f\x01",
		  "is a kernel for 32-bit ARM: this is an x86-64 machine, "
		  "give it an x86-64 kernel" },
		{ 0x38, "RSC\x05",
		  "is a kernel for RISC-V: this is an x86-64 machine, "
		  "give it an x86-64 kernel" },
		{ 0, "\x27\x05\x19\x56",
		  "is an image for U-Boot: give the bzImage that it was made of" },
		{ 0, "MZ",
		  "is a program for EFI firmware, not a bzImage: "
		  "give the Linux kernel that it was made of" },
		{ 0, "QFI\xfb",
		  "is a disk image: give a kernel (bzImage, ELF with a PVH note, multiboot)" },
		{ 0, "070701",
		  "is an initramfs: give it with --initrd, and a kernel with "
		  "--kernel" },
		{ 0x1fe, "\x55\xaa",
		  "is a boot sector or real-mode code, no kernel that Socle knows "
		  "(bzImage, ELF with a PVH note, multiboot)" },
		{ 0, "text",
		  "is no kernel that Socle knows (bzImage, ELF with a PVH note, "
		  "multiboot)" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) image = bytes_zero(1024);
		g_autofree char *words = g_strdup_printf("kernel 'kernel' %s", cases[i].words);

		memcpy(image->data + cases[i].at, cases[i].magic, strlen(cases[i].magic));
		assert_refused(span_of(image), 4, words);
	}
}

static void test_initrd_refused(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_LZMA);
	g_autofree char *words = NULL;
	g_autoptr(GError) error = NULL;
	struct files files;

	files_init(&files);
	put_file(files.kernel, span_of(image));
	files.config.initrd = files.initrd;
	g_assert_null(boot_open(&files.config, &error));
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_clear_error(&error);
	put_file(files.initrd, (struct span){ (const uint8_t *)"", 0 });
	g_assert_null(boot_open(&files.config, &error));
	words = g_strdup_printf("initrd '%s' is empty: it was not written completely",
				files.initrd);
	g_assert_cmpstr(error->message, ==, words);
	files_release(&files);
}

/* Open and load while the n-th call fails, for each n until none is left. */
static void fail_each(enum sys_call call, struct span kernel)
{
	static const uint8_t initrd[3000];
	struct files files;
	struct guest guest;
	unsigned n = 0;
	bool ok;

	files_init(&files);
	files.config.initrd = files.initrd;
	put_file(files.kernel, kernel);
	put_file(files.initrd, (struct span){ initrd, sizeof(initrd) });
	guest_init(&guest, 64);
	do {
		g_autoptr(GError) error = NULL;
		autoptr(boot) boot = NULL;

		sys_fail_nth(call, ++n, EIO);
		boot = boot_open(&files.config, &error);
		ok = boot && boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error);
		sys_fail_nth(call, 0, 0);
		if (!ok) {
			g_assert_error(error, SYS_ERROR, EIO);
			g_assert_nonnull(strstr(error->message, ": Input/output error"));
		}
	} while (!ok);
	g_assert_cmpuint(n, >, 1);
	guest_release(&guest);
	files_release(&files);
}

static void test_failing_calls(void)
{
	g_autoptr(GByteArray) lz4 = make_linux(UNPACK_LZ4), xz = make_linux(UNPACK_XZ);
	g_autoptr(GByteArray) packed = pack(UNPACK_GZIP, span_of(xz));

	fail_each(SYS_PREAD, span_of(lz4));
	fail_each(SYS_PREAD, span_of(xz));
	fail_each(SYS_PREAD, span_of(packed));
	fail_each(SYS_OPEN, span_of(xz));
	fail_each(SYS_FSTAT, span_of(xz));
	fail_each(SYS_MMAP, span_of(lz4));
	fail_each(SYS_MMAP, span_of(packed));
}

/* A file that changes between two starts: the new one counts, or is refused. */
static void test_changed(void)
{
	g_autoptr(GByteArray) one = make_linux(UNPACK_XZ), two = make_linux(UNPACK_GZIP);
	g_autoptr(GError) error = NULL;
	g_autofree char *words = NULL;
	autoptr(boot) boot = NULL;
	struct files files;
	struct guest guest;

	files_init(&files);
	put_file(files.kernel, span_of(one));
	guest_init(&guest, 64);
	boot = boot_open(&files.config, &error);
	g_assert_no_error(error);
	overwrite(files.kernel, span_of(two));
	g_assert_true(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
	overwrite(files.kernel, (struct span){ two->data, 2000 });
	g_assert_false(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
	g_assert_nonnull(strstr(error->message, " is truncated: it has 2000 bytes and at least "));
	g_clear_error(&error);
	overwrite(files.kernel, (struct span){ two->data, 0 });
	g_assert_false(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
	words = g_strdup_printf("kernel '%s' has become empty: it is being written, start again",
				files.kernel);
	g_assert_cmpstr(error->message, ==, words);
	guest_release(&guest);
	files_release(&files);
}

/* A file that is cut off while it is read. */
static void test_shrinking(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *words = NULL;
	struct boot_file file;
	struct files files;
	uint8_t buf[10];

	files_init(&files);
	put_file(files.kernel, (struct span){ (const uint8_t *)"0123456789", 10 });
	g_assert_true(boot_file_open(&file, "kernel", files.kernel, &error));
	overwrite(files.kernel, (struct span){ (const uint8_t *)"01234", 5 });
	g_assert_true(boot_file_read(&file, 0, buf, 5, &error));
	g_assert_false(boot_file_read(&file, 0, buf, 10, &error));
	words = g_strdup_printf("kernel '%s' became shorter while it was read: "
				"wait until it is written, and start again",
				files.kernel);
	g_assert_cmpstr(error->message, ==, words);
	boot_file_release(&file);
	files_release(&files);
}

/* Too little memory even for the parameters. */
static void test_tiny_machine(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_GZIP);

	assert_refused(span_of(image), 1,
		       "kernel 'kernel' needs more memory than the machine has: "
		       "give it at least 18 MiB with --memory");
}

static void test_place(void)
{
	struct boot_layout layout = { 0 };
	struct boot_file file;
	g_autoptr(GError) error = NULL;
	struct guest guest;
	uint64_t addr;

	guest_init(&guest, 4);
	boot_file_memory(&file, "kernel", no_initrd);
	layout.mem = guest.mem;
	layout.map = &guest.map;
	g_assert_true(boot_claim(&layout, &file, 0x200000, 0x1000, &error));
	g_assert_false(boot_claim(&layout, &file, 0x200fff, 1, &error));
	g_clear_error(&error);

	/* Up: around what is taken; down: below it when there is no room above. */
	g_assert_true(boot_place(&layout, 0x800, 0x1000, 0x1ff900, UINT64_MAX, false, &addr));
	g_assert_cmphex(addr, ==, 0x201000);
	g_assert_true(boot_place(&layout, 0x1fe000, 0x1000, 0, UINT64_MAX, true, &addr));
	g_assert_cmphex(addr, ==, 0x202000);
	g_assert_true(boot_place(&layout, 0x1000, 0x1000, 0, UINT64_MAX, true, &addr));
	g_assert_cmphex(addr, ==, 0x1ff000);
	boot_file_release(&file);
	guest_release(&guest);
}

static void test_no_place(void)
{
	struct boot_layout layout = { 0 };
	struct guest guest;
	uint64_t addr;

	guest_init(&guest, 4);
	layout.mem = guest.mem;
	layout.map = &guest.map;
	/* Nothing between 640 KiB and 1 MiB, nothing of any size. */
	g_assert_false(boot_place(&layout, 1, 1, MEMMAP_EBDA, MEMMAP_HIGH, false, &addr));
	g_assert_false(boot_place(&layout, 0x400000, 1, 0, UINT64_MAX, true, &addr));
	g_assert_false(boot_place(&layout, UINT64_MAX, 1, 0, UINT64_MAX, false, &addr));
	g_assert_false(boot_place(&layout, 1, (uint64_t)1 << 63, 1, UINT64_MAX, false, &addr));
	g_assert_cmpuint(layout.count, ==, 0);
	guest_release(&guest);
}

/* No more ranges than there is room for. */
static void test_place_full(void)
{
	struct boot_layout layout = { 0 };
	struct boot_file file;
	g_autoptr(GError) error = NULL;
	struct guest guest;
	uint64_t addr;

	guest_init(&guest, 4);
	boot_file_memory(&file, "kernel", no_initrd);
	layout.mem = guest.mem;
	layout.map = &guest.map;
	while (boot_place(&layout, 1, 1, MEMMAP_HIGH, UINT64_MAX, false, &addr))
		;
	g_assert_cmpuint(layout.count, ==, BOOT_MAX_RANGES);
	g_assert_false(boot_claim(&layout, &file, 0x180000, 1, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	boot_file_release(&file);
	guest_release(&guest);
}

static void test_free_nothing(void)
{
	boot_free(NULL);
	unpack_free(NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/machine/boot/file", test_file);
	g_test_add_func("/machine/boot/unreadable", test_unreadable);
	g_test_add_func("/machine/boot/too-large", test_too_large);
	g_test_add_func("/machine/boot/strangers", test_strangers);
	g_test_add_func("/machine/boot/initrd-refused", test_initrd_refused);
	g_test_add_func("/machine/boot/failing-calls", test_failing_calls);
	g_test_add_func("/machine/boot/changed", test_changed);
	g_test_add_func("/machine/boot/shrinking", test_shrinking);
	g_test_add_func("/machine/boot/tiny-machine", test_tiny_machine);
	g_test_add_func("/machine/boot/place", test_place);
	g_test_add_func("/machine/boot/no-place", test_no_place);
	g_test_add_func("/machine/boot/place-full", test_place_full);
	g_test_add_func("/machine/boot/free-nothing", test_free_nothing);
	return g_test_run();
}
