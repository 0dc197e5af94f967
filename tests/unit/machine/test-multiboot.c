/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-multiboot.c - multiboot kernels: by ELF headers, by their own addresses, with modules
 */
#include "boot-test.h"

static const struct span no_initrd;

/* The first bytes are the header, the rest is filler. */
static GByteArray *make_body(uint32_t flags)
{
	GByteArray *body = bytes_noise(100, 9);

	make_multiboot_header(body->data, flags);
	return body;
}

static GByteArray *make_kernel(bool is_32, uint64_t vaddr, uint64_t entry)
{
	g_autoptr(GByteArray) body = make_body(3);
	const struct test_elf elf = {
		.is_32 = is_32,
		.entry = entry,
		.count = 1,
		.segment = { { PT_LOAD, vaddr, 0x100000, body->data, body->len, 0x2000 } },
	};

	return make_elf(&elf);
}

static const uint8_t *info_of(const struct guest *guest)
{
	return at(guest, guest->state->gpr[X86_RBX]);
}

static void assert_info(const struct guest *guest, const char *cmdline, unsigned modules)
{
	const uint8_t *info = info_of(guest), *map;

	g_assert_cmphex(guest->state->gpr[X86_RAX], ==, 0x2badb002);
	g_assert_cmphex(get_le32(info), ==, 0x24d);
	g_assert_cmpint(get_le32(info + 4), ==, 639);
	g_assert_cmpint(get_le32(info + 8), ==, 3072);
	assert_bytes(guest, get_le32(info + 16), cmdline, strlen(cmdline) + 1);
	g_assert_cmpint(get_le32(info + 20), ==, modules);
	assert_bytes(guest, get_le32(info + 64), "socle", 6);

	map = at(guest, get_le32(info + 48));
	g_assert_cmpint(get_le32(info + 44), ==, guest->map.count * 24l);
	for (unsigned i = 0; i < guest->map.count; i++, map += 24) {
		g_assert_cmpint(get_le32(map), ==, 20);
		g_assert_cmphex(get_le64(map + 4), ==, guest->map.entry[i].addr);
		g_assert_cmphex(get_le64(map + 12), ==, guest->map.entry[i].size);
		g_assert_cmphex(get_le32(map + 20), ==, guest->map.entry[i].type);
	}
}

static void test_elf(void)
{
	for (unsigned is_32 = 0; is_32 < 2; is_32++) {
		g_autoptr(GByteArray) image = make_kernel(is_32, 0x100000, 0x100020);
		struct guest guest;

		guest_init(&guest, 4);
		g_assert_cmpint(mem_write(guest.mem, 0x100080, "old", 4), ==, 0);
		assert_boots(&guest, span_of(image), no_initrd, "a b");
		assert_state_32(&guest, 0x100020);
		assert_info(&guest, "kernel a b", 0);
		assert_bytes(&guest, 0x100000, image->data + image->len - 100, 100);
		assert_bytes(&guest, 0x100080, "\0\0\0", 3);
		guest_release(&guest);
	}
}

/* Linked high, loaded low. */
static void test_virtual_entry(void)
{
	g_autoptr(GByteArray) image = make_kernel(true, 0xc0100000, 0xc0100040);
	struct guest guest;

	guest_init(&guest, 4);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_state_32(&guest, 0x100040);
	assert_info(&guest, "kernel", 0);
	guest_release(&guest);
}

static void test_module(void)
{
	g_autoptr(GByteArray) image = make_kernel(true, 0x100000, 0x100020);
	g_autoptr(GByteArray) module = bytes_noise(5000, 4);
	const uint8_t *entry;
	struct guest guest;

	guest_init(&guest, 4);
	assert_boots(&guest, span_of(image), span_of(module), "");
	assert_info(&guest, "kernel", 1);
	entry = at(&guest, get_le32(info_of(&guest) + 24));
	g_assert_cmphex(get_le32(entry), ==, 0x102000);
	g_assert_cmphex(get_le32(entry + 4), ==, 0x102000 + 5000);
	assert_bytes(&guest, get_le32(entry + 8), "initrd", 7);
	assert_bytes(&guest, 0x102000, module->data, module->len);
	guest_release(&guest);
}

struct files {
	char *dir, *kernel, *one, *two;
};

static void files_init(struct files *files)
{
	g_autoptr(GByteArray) image = make_kernel(true, 0x100000, 0x100020);

	files->dir = g_dir_make_tmp("test-multiboot-XXXXXX", NULL);
	files->kernel = g_build_filename(files->dir, "kernel", NULL);
	files->one = g_build_filename(files->dir, "one", NULL);
	files->two = g_build_filename(files->dir, "two", NULL);
	g_assert_true(
		g_file_set_contents(files->kernel, (const char *)image->data, image->len, NULL));
	g_assert_true(g_file_set_contents(files->one, "1111", 4, NULL));
	g_assert_true(g_file_set_contents(files->two, "22", 2, NULL));
}

static void files_release(struct files *files)
{
	(void)remove(files->kernel);
	(void)remove(files->one);
	(void)remove(files->two);
	g_assert_cmpint(remove(files->dir), ==, 0);
	g_free(files->kernel);
	g_free(files->one);
	g_free(files->two);
	g_free(files->dir);
}

static void assert_module(const struct guest *guest, unsigned i, const char *bytes,
			  const char *cmdline)
{
	const uint8_t *entry = at(guest, get_le32(info_of(guest) + 24)) + (size_t)16 * i;

	g_assert_cmphex(get_le32(entry), ==, 0x102000 + 0x1000 * i);
	g_assert_cmpuint(get_le32(entry + 4) - get_le32(entry), ==, strlen(bytes));
	assert_bytes(guest, get_le32(entry), bytes, strlen(bytes));
	assert_bytes(guest, get_le32(entry + 8), cmdline, strlen(cmdline) + 1);
}

/* Modules from files, with words of their own. */
static void test_module_files(void)
{
	g_autofree char *list = NULL, *first = NULL, *cmdline = NULL;
	g_autoptr(GError) error = NULL;
	autoptr(boot) boot = NULL;
	struct boot_config config;
	struct files files;
	struct guest guest;

	files_init(&files);
	list = g_strdup_printf("%s with words,%s", files.one, files.two);
	first = g_strdup_printf("%s with words", files.one);
	cmdline = g_strdup_printf("%s x", files.kernel);
	config = (struct boot_config){ files.kernel, list, "x" };
	boot = boot_open(&config, &error);
	g_assert_no_error(error);
	g_assert_cmpint(boot_kind(boot), ==, BOOT_MULTIBOOT);

	guest_init(&guest, 4);
	g_assert_true(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
	assert_info(&guest, cmdline, 2);
	assert_module(&guest, 0, "1111", first);
	assert_module(&guest, 1, "22", files.two);
	guest_release(&guest);
	files_release(&files);
}

static void test_bad_module_files(void)
{
	g_autofree char *list = NULL, *many = NULL, *one = NULL;
	g_autoptr(GError) error = NULL;
	struct boot_config config;
	struct files files;

	files_init(&files);
	config = (struct boot_config){ .kernel = files.kernel, .initrd = "/nonexistent words" };
	g_assert_null(boot_open(&config, &error));
	g_assert_cmpstr(error->message, ==,
			"cannot open module '/nonexistent': No such file or directory");
	g_clear_error(&error);

	list = g_strdup_printf("%s,, %s", files.one, files.two);
	config.initrd = list;
	g_assert_null(boot_open(&config, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);

	one = g_strdup_printf("%s,", files.one);
	many = g_strdup(one);
	for (unsigned i = 0; i < BOOT_MAX_MODULES; i++) {
		char *more = g_strconcat(one, many, NULL);

		g_free(many);
		many = more;
	}
	config.initrd = many;
	g_assert_null(boot_open(&config, &error));
	g_assert_cmpstr(error->message, ==, "more than 32 modules: load fewer");
	files_release(&files);
}

/* No ELF: the header says it all. 16 bytes stand before the header, which is at 1 MiB. */
static GByteArray *make_flat(uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
	GByteArray *image = bytes_noise(200, 9);
	uint8_t *h = image->data + 16;

	make_multiboot_header(h, 0x10000);
	put_le32(h + 12, 0x100000);
	put_le32(h + 16, 0x100000 - 8);
	put_le32(h + 20, load_end);
	put_le32(h + 24, bss_end);
	put_le32(h + 28, entry);
	return image;
}

static void test_addresses(void)
{
	g_autoptr(GByteArray) image = make_flat(0x100100 - 0x90, 0x100200, 0x100020);
	g_autoptr(GByteArray) whole = make_flat(0, 0, 0x100020);
	struct guest guest;

	/* The 8 bytes before the header would be at 0xffff8: no RAM. */
	assert_refused(span_of(image), 4,
		       "kernel 'kernel' wants 0x208 bytes of memory at 0xffff8, where this machine "
		       "never has RAM: link it for an address from 1 MiB to 3 GiB");
	put_le32(image->data + 16 + 12, 0x100008);
	put_le32(image->data + 16 + 16, 0x100000);
	put_le32(whole->data + 16 + 12, 0x100008);
	put_le32(whole->data + 16 + 16, 0x100000);

	guest_init(&guest, 4);
	g_assert_cmpint(mem_write(guest.mem, 0x100070, "old", 4), ==, 0);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_state_32(&guest, 0x100020);
	assert_info(&guest, "kernel", 0);
	assert_bytes(&guest, 0x100000, image->data + 8, 0x70);
	assert_bytes(&guest, 0x100070, "\0\0\0", 4);
	assert_boots(&guest, span_of(whole), no_initrd, "");
	assert_bytes(&guest, 0x100000, whole->data + 8, 192);
	guest_release(&guest);
}

/* A kernel that wants the low memory which others leave to the loader. */
static void test_low_kernel(void)
{
	g_autoptr(GByteArray) body = make_body(0);
	const struct test_elf elf = {
		.is_32 = true,
		.entry = 0x500,
		.count = 1,
		.segment = { { PT_LOAD, 0x500, 0x500, body->data, body->len, 0x9f000 } },
	};
	g_autoptr(GByteArray) image = make_elf(&elf);
	struct guest guest;

	guest_init(&guest, 4);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_state_32(&guest, 0x500);
	assert_info(&guest, "kernel", 0);
	assert_bytes(&guest, 0x500, body->data, body->len);
	g_assert_cmphex(guest.state->gpr[X86_RBX], >, 0x9f500);
	guest_release(&guest);
}

static void test_refusals(void)
{
	static const struct {
		unsigned at;
		uint32_t value;
		const char *words;
	} cases[] = {
		{ 12, 0x0ff000, "it is not where it says" },
		{ 12, 0x100020, "it is not where it says" },
		{ 20, 0x0fffff, "its end is before its start" },
		{ 24, 0x100001, "its end is before the end of its data" },
		{ 28, 0x0fffff, "its entry point is not in what it loads" },
		{ 28, 0x100200, "its entry point is not in what it loads" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) image = make_flat(0x100070, 0x100200, 0x100020);
		g_autofree char *words = g_strdup_printf(
			"kernel 'kernel' has a bad multiboot header: %s", cases[i].words);

		put_le32(image->data + 16 + 12, 0x100008);
		put_le32(image->data + 16 + 16, 0x100000);
		put_le32(image->data + 16 + cases[i].at, cases[i].value);
		assert_refused(span_of(image), 4, words);
	}
}

static void test_more_refusals(void)
{
	g_autoptr(GByteArray) features = make_body(0x8), plain = make_body(3);
	g_autoptr(GByteArray) outside = make_kernel(true, 0x100000, 0x200000);
	g_autoptr(GByteArray) flat = make_flat(0x200000, 0, 0x100020);

	assert_refused(span_of(features), 4,
		       "kernel 'kernel' demands multiboot features that are not known (flags 0x8)");
	assert_refused(span_of(plain), 4,
		       "kernel 'kernel' has a bad multiboot header: it has no addresses, "
		       "and the file is no ELF file either");
	assert_refused(span_of(outside), 4,
		       "kernel 'kernel' has a bad multiboot header: the entry point is not in "
		       "what is loaded below 4 GiB");
	assert_refused(span_of(flat), 4,
		       "kernel 'kernel' is truncated: it has 200 bytes and at least 1048592 are "
		       "needed; take a complete copy");
}

static void test_module_too_large(void)
{
	g_autoptr(GByteArray) image = make_kernel(true, 0x100000, 0x100020);
	g_autoptr(GByteArray) module = bytes_zero(3 << 20);
	g_autofree char *text = NULL;
	struct guest guest;

	guest_init(&guest, 4);
	text = try_boot(&guest, span_of(image), span_of(module), "");
	g_assert_cmpstr(text, ==,
			"initrd 'initrd' of 3 MiB does not fit into the machine's memory: "
			"give the machine at least 5 MiB with --memory");
	guest_release(&guest);
}

/* PVH is preferred where a kernel has both. */
static void test_pvh_first(void)
{
	g_autoptr(GByteArray) body = make_body(3);
	uint8_t note[20];
	const struct test_elf elf = {
		.is_32 = true,
		.entry = 0x100020,
		.count = 2,
		.segment = { { PT_LOAD, 0x100000, 0x100000, body->data, body->len, body->len },
			     { PT_NOTE, 0, 0, note, sizeof(note), 0 } },
	};
	g_autoptr(GByteArray) image = NULL;
	autoptr(boot) boot = NULL;

	make_pvh_note(note, 0x100030, 4);
	image = make_elf(&elf);
	boot = boot_open_memory(span_of(image), no_initrd, NULL, TEST_LIMIT, NULL);
	g_assert_cmpint(boot_kind(boot), ==, BOOT_PVH);
}

/* The header counts only in the first 8 KiB, at multiples of 4. */
static void test_find(void)
{
	g_autoptr(GByteArray) bytes = bytes_zero(8300);

	make_multiboot_header(bytes->data + 8192, 0);
	g_assert_cmpint(multiboot_find(span_of(bytes)), ==, -1);
	make_multiboot_header(bytes->data + 8180, 0);
	g_assert_cmpint(multiboot_find(span_of(bytes)), ==, 8180);
	make_multiboot_header(bytes->data + 42, 0);
	g_assert_cmpint(multiboot_find(span_of(bytes)), ==, 8180);
	g_assert_cmpint(multiboot_find((struct span){ bytes->data, 0 }), ==, -1);
}

static void test_truncated(void)
{
	g_autoptr(GByteArray) image = make_kernel(true, 0x100000, 0x100020);
	struct guest guest;

	guest_init(&guest, 4);
	for (size_t len = 0; len < image->len; len++) {
		g_autofree uint8_t *copy = g_memdup2(image->data, len + 1);
		g_autofree char *text = try_boot(&guest, (struct span){ copy, len }, no_initrd, "");

		g_assert_nonnull(text);
	}
	guest_release(&guest);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/machine/multiboot/elf", test_elf);
	g_test_add_func("/machine/multiboot/virtual-entry", test_virtual_entry);
	g_test_add_func("/machine/multiboot/module", test_module);
	g_test_add_func("/machine/multiboot/module-files", test_module_files);
	g_test_add_func("/machine/multiboot/bad-module-files", test_bad_module_files);
	g_test_add_func("/machine/multiboot/addresses", test_addresses);
	g_test_add_func("/machine/multiboot/low-kernel", test_low_kernel);
	g_test_add_func("/machine/multiboot/refusals", test_refusals);
	g_test_add_func("/machine/multiboot/more-refusals", test_more_refusals);
	g_test_add_func("/machine/multiboot/module-too-large", test_module_too_large);
	g_test_add_func("/machine/multiboot/pvh-first", test_pvh_first);
	g_test_add_func("/machine/multiboot/find", test_find);
	g_test_add_func("/machine/multiboot/truncated", test_truncated);
	return g_test_run();
}
