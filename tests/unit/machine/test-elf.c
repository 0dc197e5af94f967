/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-elf.c - ELF kernels with a PVH entry point, and ELF files that are none
 */
#include "boot-test.h"

enum {
	INFO = 0x6000,
	ENTRY = 0x200004
};

static const struct span no_initrd;
static const uint8_t code[] = "this is where it starts";

/* One segment at 2 MiB with 100 bytes more in memory, and PVH's note behind another note. */
static GByteArray *make_kernel(bool is_32, unsigned desc_size, uint64_t entry)
{
	uint8_t notes[20 + 24] = { 0 };
	struct test_elf elf = {
		.is_32 = is_32,
		.entry = 0x12345,
		.count = 2,
		.segment = { { PT_LOAD, 0x80000000, 0x200000, code, sizeof(code),
			       sizeof(code) + 100 },
			     { PT_NOTE, 0, 0, notes, 20 + 16 + desc_size, 0 } },
	};

	/* A note of somebody else: same type, name of 3 bytes, no descriptor. */
	put_le32(notes, 3);
	put_le32(notes + 8, 18);
	memcpy(notes + 12, "Me", 3);
	make_pvh_note(notes + 16, entry, desc_size);
	elf.segment[1].file_size = 16 + 16 + desc_size;
	return make_elf(&elf);
}

static void assert_boots_pvh(bool is_32, unsigned desc_size)
{
	g_autoptr(GByteArray) image = make_kernel(is_32, desc_size, ENTRY);
	g_autoptr(GByteArray) initrd = bytes_noise(5000, 3);
	static const uint8_t zeroes[100];
	const uint8_t *info, *module, *map;
	struct guest guest;

	guest_init(&guest, 4);
	g_assert_cmpint(mem_write(guest.mem, 0x200000 + sizeof(code), "old", 4), ==, 0);
	assert_boots(&guest, span_of(image), span_of(initrd), "word");
	assert_state_32(&guest, ENTRY);
	g_assert_cmphex(guest.state->gpr[X86_RBX], ==, INFO);
	assert_bytes(&guest, 0x200000, code, sizeof(code));
	assert_bytes(&guest, 0x200000 + sizeof(code), zeroes, sizeof(zeroes));

	info = at(&guest, INFO);
	g_assert_cmphex(get_le32(info), ==, 0x336ec578);
	g_assert_cmpint(get_le32(info + 4), ==, 1);
	g_assert_cmpint(get_le32(info + 8), ==, 0);
	g_assert_cmpint(get_le32(info + 12), ==, 1);
	g_assert_cmphex(get_le64(info + 32), ==, TEST_RSDP);
	assert_bytes(&guest, get_le64(info + 24), "word", 5);

	module = at(&guest, get_le64(info + 16));
	g_assert_cmphex(get_le64(module), ==, (4 << 20) - 0x2000);
	g_assert_cmpint(get_le64(module + 8), ==, 5000);
	g_assert_cmphex(get_le64(module + 16), ==, 0);
	assert_bytes(&guest, get_le64(module), initrd->data, initrd->len);

	map = at(&guest, get_le64(info + 40));
	g_assert_cmpint(get_le32(info + 48), ==, guest.map.count);
	for (unsigned i = 0; i < guest.map.count; i++, map += 24) {
		g_assert_cmphex(get_le64(map), ==, guest.map.entry[i].addr);
		g_assert_cmphex(get_le64(map + 8), ==, guest.map.entry[i].size);
		g_assert_cmphex(get_le32(map + 16), ==, guest.map.entry[i].type);
	}
	guest_release(&guest);
}

static void test_pvh(void)
{
	assert_boots_pvh(false, 4);
	assert_boots_pvh(false, 8);
	assert_boots_pvh(true, 4);
	assert_boots_pvh(true, 8);
}

static void test_no_initrd(void)
{
	g_autoptr(GByteArray) image = make_kernel(false, 4, ENTRY);
	autoptr(boot) boot = NULL;
	struct guest guest;

	guest_init(&guest, 3);
	boot = boot_open_memory(span_of(image), no_initrd, NULL, TEST_LIMIT, NULL);
	g_assert_cmpint(boot_kind(boot), ==, BOOT_PVH);
	g_assert_true(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, NULL));
	g_assert_cmpint(get_le32(at(&guest, INFO + 12)), ==, 0);
	g_assert_cmpint(get_le64(at(&guest, INFO + 16)), ==, 0);
	guest_release(&guest);
	assert_refused(span_of(image), 2,
		       "kernel 'kernel' needs more memory than the machine has: "
		       "give it at least 3 MiB with --memory");
}

/* The whole file packed, as vmlinux.gz; loaded twice, as a reboot does. */
static void test_packed_file(void)
{
	g_autoptr(GByteArray) image = make_kernel(false, 4, ENTRY);

	for (int kind = UNPACK_NONE + 1; kind < UNPACK_KIND_COUNT; kind++) {
		g_autoptr(GByteArray) packed = pack((enum unpack_kind)kind, span_of(image));
		g_autoptr(GError) error = NULL;
		autoptr(boot) boot = NULL;
		struct guest guest;

		guest_init(&guest, 4);
		boot = boot_open_memory(span_of(packed), no_initrd, NULL, TEST_LIMIT, &error);
		g_assert_no_error(error);
		for (unsigned i = 0; i < 2; i++) {
			mem_clear(guest.mem);
			g_assert_true(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state,
						&error));
			assert_bytes(&guest, 0x200000, code, sizeof(code));
			assert_state_32(&guest, ENTRY);
		}
		guest_release(&guest);
	}
}

static void test_packed_bomb(void)
{
	g_autoptr(GByteArray) zeroes = bytes_zero(2 << 20);
	g_autoptr(GByteArray) packed = pack(UNPACK_GZIP, span_of(zeroes));
	g_autoptr(GError) error = NULL;

	g_assert_null(boot_open_memory(span_of(packed), no_initrd, NULL, 1 << 20, &error));
	g_assert_cmpstr(error->message, ==,
			"kernel 'kernel' unpacks to more than the 1048576 bytes that are allowed: "
			"it is damaged or no kernel");
	g_clear_error(&error);
	g_assert_null(boot_open_memory(span_of(packed), no_initrd, NULL, 4 << 20, &error));
	g_assert_nonnull(strstr(error->message, "is no kernel that Socle knows"));
}

static void test_refusals(void)
{
	static const struct {
		struct test_elf elf;
		const char *words;
	} cases[] = {
		{ { .entry = 1, .count = 1, .segment = { { PT_LOAD, 0, 0x200000, "x", 1, 1 } } },
		  "is an x86-64 ELF file without a PVH note: for Linux set CONFIG_PVH=y, "
		  "or give the bzImage of the same build" },
		{ { .is_32 = true, .count = 1, .segment = { { PT_LOAD, 0, 0x200000, "x", 1, 1 } } },
		  "is a 32-bit ELF file with neither a PVH note nor a multiboot header: give a "
		  "kernel that Socle knows (bzImage, ELF with a PVH note, multiboot)" },
		{ { .machine = EM_AARCH64, .count = 1 },
		  "is for 64-bit ARM machines (ELF machine 183): this is an x86-64 machine, "
		  "give it an x86-64 kernel" },
		{ { .is_32 = true, .machine = EM_ARM, .count = 1 },
		  "is for 32-bit ARM machines (ELF machine 40): this is an x86-64 machine, "
		  "give it an x86-64 kernel" },
		{ { .type = ET_REL, .count = 1 },
		  "is an ELF file but not an executable one (a module or an object file?): "
		  "give a kernel image" },
		{ { .count = 0 },
		  "is a damaged ELF file (it has no program headers): take a fresh copy" },
		{ { .count = 1, .segment = { { PT_LOAD, 0, 0x200000, "", 0, 0 } } },
		  "is a damaged ELF file (it has nothing to load): take a fresh copy" },
		{ { .count = 1, .segment = { { PT_LOAD, 0, 0x200000, "abcd", 4, 3 } } },
		  "is a damaged ELF file (a segment has more bytes than room): "
		  "take a fresh copy" },
		{ { .count = 1, .segment = { { PT_LOAD, 0, UINT64_MAX, "abcd", 4, 4 } } },
		  "is a damaged ELF file (a segment has no end): take a fresh copy" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) image = make_elf(&cases[i].elf);
		g_autofree char *words = g_strdup_printf("kernel 'kernel' %s", cases[i].words);

		assert_refused(span_of(image), 64, words);
	}
}

/* Segments where there can be none. */
static void test_bad_places(void)
{
	uint8_t note[20];
	static const struct {
		uint64_t first, second, size;
		const char *words;
	} cases[] = {
		{ 0x200000, 0x6000, 4,
		  "wants the memory at 0x6000, which is taken: link it at 1 MiB "
		  "or above, without overlaps" },
		{ 0x200000, 0x20000, 4,
		  "wants the memory at 0x20000, which is the command line's: "
		  "link it at 1 MiB or above" },
		{ 0x200000, 0x200002, 4,
		  "wants the memory at 0x200000, which is taken: link it at "
		  "1 MiB or above, without overlaps" },
		{ 0x200000, 0xa0000, 4,
		  "wants 0x4 bytes of memory at 0xa0000, where this machine "
		  "never has RAM: link it for an address from 1 MiB to 3 GiB" },
		{ 0x200000, 0xd0000000, 4,
		  "wants 0x4 bytes of memory at 0xd0000000, where this "
		  "machine never has RAM: link it for an address from "
		  "1 MiB to 3 GiB" },
		{ 0x200000, 0x7000000, 4,
		  "needs more memory than the machine has: give it at least "
		  "113 MiB with --memory" },
		{ 0x200000, 0x100000000, 4,
		  "needs more memory than the machine has: give it at "
		  "least 3073 MiB with --memory" },
		{ 0x300000, 0x400000, 4,
		  "is a damaged ELF file (its PVH entry point is not in what it loads): "
		  "take a fresh copy" },
	};

	make_pvh_note(note, 0x200000, 4);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct test_elf elf = {
			.count = 3,
			.segment = { { PT_LOAD, 0, cases[i].first, "abcd", 4, 4 },
				     { PT_LOAD, 0, cases[i].second, "abcd", 4, cases[i].size },
				     { PT_NOTE, 0, 0, note, sizeof(note), 0 } },
		};
		g_autoptr(GByteArray) image = make_elf(&elf);
		g_autofree char *words = g_strdup_printf("kernel 'kernel' %s", cases[i].words);

		assert_refused(span_of(image), 64, words);
	}
}

/* RAM above 4 GiB is as good as any other. */
static void test_above_4g(void)
{
	uint8_t note[20];
	const struct test_elf elf = {
		.count = 3,
		.segment = { { PT_LOAD, 0, 0x200000, code, sizeof(code), sizeof(code) },
			     { PT_LOAD, 0, 0x100000000, code, sizeof(code), sizeof(code) },
			     { PT_NOTE, 0, 0, note, sizeof(note), 0 } },
	};
	g_autoptr(GByteArray) image = NULL;
	struct guest guest;

	make_pvh_note(note, 0x200000, 4);
	image = make_elf(&elf);
	guest_init(&guest, 3 * 1024 + 1);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_bytes(&guest, 0x100000000, code, sizeof(code));
	guest_release(&guest);
}

static void test_bad_notes(void)
{
	g_autoptr(GByteArray) image = make_kernel(false, 4, ENTRY);
	uint8_t *phdr = image->data + 64 + 56; /* of the notes */
	const uint64_t note = get_le64(phdr + 8);

	put_le32(image->data + note, UINT32_MAX);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' is a damaged ELF file (its notes are cut off): "
		       "take a fresh copy");
	put_le64(phdr + 32, 2 << 20);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' is a damaged ELF file (its notes are too large): "
		       "take a fresh copy");
	put_le64(phdr + 32, 100000);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' is truncated: it has 236 bytes and at least 100200 are "
		       "needed; take a complete copy");
}

static void test_big_endian(void)
{
	const struct test_elf elf = { .count = 1 };
	g_autoptr(GByteArray) image = make_elf(&elf);

	image->data[EI_DATA] = ELFDATA2MSB;
	put_be16(image->data + 16, ET_EXEC);
	put_be16(image->data + 18, EM_S390);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' is for s390 machines (ELF machine 22): this is an x86-64 "
		       "machine, give it an x86-64 kernel");
}

static void test_truncated(void)
{
	g_autoptr(GByteArray) image = make_kernel(false, 8, ENTRY);
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
	g_test_add_func("/machine/elf/pvh", test_pvh);
	g_test_add_func("/machine/elf/no-initrd", test_no_initrd);
	g_test_add_func("/machine/elf/packed-file", test_packed_file);
	g_test_add_func("/machine/elf/packed-bomb", test_packed_bomb);
	g_test_add_func("/machine/elf/refusals", test_refusals);
	g_test_add_func("/machine/elf/bad-places", test_bad_places);
	g_test_add_func("/machine/elf/above-4g", test_above_4g);
	g_test_add_func("/machine/elf/bad-notes", test_bad_notes);
	g_test_add_func("/machine/elf/big-endian", test_big_endian);
	g_test_add_func("/machine/elf/truncated", test_truncated);
	return g_test_run();
}
