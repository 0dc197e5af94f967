/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-bzimage.c - Linux bzImages: unpacked here or entered at their own program, and refused
 */
#include "boot-test.h"

enum {
	ZERO_PAGE = 0x7000,
	CMDLINE = 0x20000
};

static const struct span no_initrd;

static void assert_state_64(const struct guest *guest, uint64_t entry)
{
	const struct x86_state *s = guest->state;

	g_assert_cmphex(s->rip, ==, entry);
	g_assert_cmphex(s->gpr[X86_RSI], ==, ZERO_PAGE);
	g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8ff0);
	g_assert_cmphex(s->rflags, ==, 2);
	g_assert_cmphex(s->cr0, ==, CR0_PE | CR0_PG | CR0_ET);
	g_assert_cmphex(s->cr4, ==, CR4_PAE);
	g_assert_cmphex(s->efer, ==, EFER_LME | EFER_LMA);
	assert_flat(&s->seg[X86_CS], 0x10, 0xa09b);
	assert_flat(&s->seg[X86_DS], 0x18, 0xc093);
	assert_flat(&s->seg[X86_ES], 0x18, 0xc093);
	assert_flat(&s->seg[X86_SS], 0x18, 0xc093);
	g_assert_cmphex(get_le64(at(guest, s->gdt.base + 0x10)), ==, 0x00af9b000000ffff);
	g_assert_cmphex(get_le64(at(guest, s->gdt.base + 0x18)), ==, 0x00cf93000000ffff);
	g_assert_cmpint(s->run_state, ==, X86_RUNNABLE);
}

/* Walk the page tables as the CPU would. */
static uint64_t translate(const struct guest *guest, uint64_t va)
{
	const uint64_t addr = 0x000ffffffffff000;
	uint64_t entry = guest->state->cr3;

	for (unsigned shift = 39; shift >= 21; shift -= 9) {
		entry = get_le64(at(guest, (entry & addr) + ((va >> shift) & 511) * 8));
		if (!(entry & 1))
			return UINT64_MAX;
		g_assert_true(entry & 2);
	}
	g_assert_true(entry & 0x80);
	return (entry & addr & ~(uint64_t)0x1fffff) | (va & 0x1fffff);
}

static void assert_kernel(const struct guest *guest)
{
	g_autoptr(GByteArray) text = bytes_noise(5000, 1), data = bytes_noise(300, 2);
	const uint8_t zeroes[64] = { 0 };

	assert_bytes(guest, 0x1000000, text->data, text->len);
	assert_bytes(guest, 0x1100000, data->data, data->len);
	assert_bytes(guest, 0x110012c, zeroes, sizeof(zeroes));
}

static void assert_zero_page(const struct guest *guest, size_t initrd_size)
{
	const uint8_t *zp = at(guest, ZERO_PAGE);

	g_assert_cmphex(get_le64(zp + 0x70), ==, TEST_RSDP);
	g_assert_cmpint(zp[0x1ef], ==, 0);
	g_assert_cmpmem(zp + 0x202, 4, "HdrS", 4);
	g_assert_cmpint(zp[0x210], ==, 0xff);
	g_assert_cmpint(zp[0x211], ==, 0x81);
	g_assert_cmpint(get_le32(zp + 0x21c), ==, initrd_size);
	g_assert_cmphex(get_le32(zp + 0x228), ==, CMDLINE);

	g_assert_cmpint(zp[0x1e8], ==, guest->map.count);
	for (unsigned i = 0; i < guest->map.count; i++) {
		const uint8_t *entry = zp + 0x2d0 + (size_t)20 * i;

		g_assert_cmphex(get_le64(entry), ==, guest->map.entry[i].addr);
		g_assert_cmphex(get_le64(entry + 8), ==, guest->map.entry[i].size);
		g_assert_cmphex(get_le32(entry + 16), ==, guest->map.entry[i].type);
	}
}

static void assert_seed(const struct guest *guest)
{
	const uint8_t *data = at(guest, get_le64(at(guest, ZERO_PAGE + 0x250)));
	static const uint8_t zeroes[32];

	g_assert_cmphex(get_le64(data), ==, 0);
	g_assert_cmpint(get_le32(data + 8), ==, 9);
	g_assert_cmpint(get_le32(data + 12), ==, sizeof(zeroes));
	g_assert_cmpint(memcmp(data + 16, zeroes, sizeof(zeroes)), !=, 0);
}

static void test_unpacked(const void *data)
{
	const enum unpack_kind kind = (enum unpack_kind)GPOINTER_TO_INT(data);
	g_autoptr(GByteArray) image = make_linux(kind), initrd = bytes_noise(10000, 3);
	static const uint64_t probes[] = {
		0, 0x7000, 0x1000010, 0x3fffffff, 0xc0000000, 0xffffffff,
	};
	const uint64_t initrd_at = (64 << 20) - 0x3000;
	struct guest guest;

	guest_init(&guest, 64);
	/* What was there before must not shine through. */
	g_assert_cmpint(mem_write(guest.mem, 0x110012c, "old", 4), ==, 0);
	assert_boots(&guest, span_of(image), span_of(initrd), "console=ttyS0");
	assert_state_64(&guest, 0x1000010);
	assert_kernel(&guest);
	for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
		g_assert_cmphex(translate(&guest, probes[i]), ==, probes[i]);
	g_assert_cmphex(translate(&guest, 0x100000000), ==, UINT64_MAX);

	assert_zero_page(&guest, initrd->len);
	assert_seed(&guest);
	assert_bytes(&guest, CMDLINE, "console=ttyS0", 14);
	g_assert_cmphex(get_le32(at(&guest, ZERO_PAGE + 0x218)), ==, initrd_at);
	assert_bytes(&guest, initrd_at, initrd->data, initrd->len);
	guest_release(&guest);
}

/* LZO and whatever else: the image's own program does it. */
static void test_packed(void)
{
	g_autoptr(GByteArray) image = NULL;
	const struct test_bzimage bz = {
		.payload = { (const uint8_t *)"\x89LZO\0\r\n\x1a\n some bytes", 20 },
		.unpacked_size = 1000,
	};
	autoptr(boot) boot = NULL;
	g_autoptr(GError) error = NULL;
	struct guest guest;

	image = make_bzimage(&bz);
	guest_init(&guest, 64);
	boot = boot_open_memory(span_of(image), no_initrd, NULL, TEST_LIMIT, &error);
	g_assert_no_error(error);
	g_assert_cmpint(boot_kind(boot), ==, BOOT_BZIMAGE);
	g_assert_true(boot_load(boot, guest.mem, &guest.map, TEST_RSDP, guest.state, &error));
	assert_state_64(&guest, 0x1000200);
	assert_bytes(&guest, 0x1000000, image->data + 1536, image->len - 1536);
	assert_bytes(&guest, CMDLINE, "", 1);
	guest_release(&guest);

	/* Less memory: where there is room. */
	guest_init(&guest, 8);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_state_64(&guest, 0x200200);
	guest_release(&guest);
	assert_refused(span_of(image), 2,
		       "kernel 'kernel' needs more memory than the machine has: "
		       "give it at least 17 MiB with --memory");
}

static void test_fixed(void)
{
	const struct test_bzimage bz = { .is_fixed = true, .pref_address = 0x300000 };
	g_autoptr(GByteArray) image = make_bzimage(&bz);
	struct guest guest;

	guest_init(&guest, 4);
	assert_boots(&guest, span_of(image), no_initrd, "");
	assert_state_64(&guest, 0x300200);
	guest_release(&guest);
	assert_refused(span_of(image), 3,
		       "kernel 'kernel' needs more memory than the machine has: "
		       "give it at least 4 MiB with --memory");
}

static void test_refusals(void)
{
	static const struct {
		struct test_bzimage bz;
		const char *words;
	} cases[] = {
		{ { .is_32 = true },
		  "kernel 'kernel' is a 32-bit kernel, which Socle cannot boot directly: "
		  "give a 64-bit (x86-64) one" },
		{ { .version = 0x20a },
		  "kernel 'kernel' uses boot protocol 2.10, older than 2.12: "
		  "give a kernel of Linux 3.8 or newer" },
		{ { .is_low = true },
		  "kernel 'kernel' is a zImage, made for loading below 640 KiB: "
		  "give a bzImage" },
		{ { .alignment = 3, .pref_address = 0x7000 },
		  "kernel 'kernel' is damaged: its alignment is no power of two; "
		  "take a fresh copy" },
		{ { .is_fixed = true, .pref_address = 0x8000 },
		  "kernel 'kernel' wants 0x100000 bytes of memory at 0x8000, where this machine "
		  "never has RAM: link it for an address from 1 MiB to 3 GiB" },
		{ { .is_fixed = true, .pref_address = 0xfffffffffffff000 },
		  "kernel 'kernel' wants 0x100000 bytes of memory at 0xfffffffffffff000, where "
		  "this machine never has RAM: link it for an address from 1 MiB to 3 GiB" },
		{ { .payload = { (const uint8_t *)"\x1f\x8b\x08 not gzip", 12 },
		    .unpacked_size = 0x50000000 },
		  "kernel 'kernel' says that it unpacks to 1342177280 bytes, which no kernel "
		  "does: it is damaged" },
		{ { .payload = { (const uint8_t *)"\x1f\x8b\x08 not gzip", 12 },
		    .unpacked_size = 1000 },
		  "kernel 'kernel' is damaged: its gzip data cannot be unpacked; "
		  "take a fresh copy" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) image = make_bzimage(&cases[i].bz);

		assert_refused(span_of(image), 64, cases[i].words);
	}
}

static void test_little_memory(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_LZ4);

	assert_refused(span_of(image), 16,
		       "kernel 'kernel' needs more memory than the machine has: "
		       "give it at least 18 MiB with --memory");
}

/* A payload that unpacks well, but to something else. */
static void test_bad_payload(void)
{
	g_autoptr(GByteArray) noise = bytes_noise(500, 5), packed = pack(UNPACK_XZ, span_of(noise));
	const struct test_elf small = {
		.is_32 = true,
		.entry = 0x1000000,
		.count = 1,
		.segment = { { PT_LOAD, 0, 0x1000000, "code", 4, 4 } },
	};
	g_autoptr(GByteArray) elf = make_elf(&small), packed_elf = pack(UNPACK_XZ, span_of(elf));
	struct test_bzimage bz = { .payload = span_of(packed), .unpacked_size = 500 };
	g_autoptr(GByteArray) image = make_bzimage(&bz);
	g_autoptr(GByteArray) other = NULL;

	assert_refused(span_of(image), 64,
		       "kernel 'kernel' has a payload that is no ELF file: it is damaged");
	bz = (struct test_bzimage){ .payload = span_of(packed_elf), .unpacked_size = elf->len };
	other = make_bzimage(&bz);
	assert_refused(span_of(other), 64,
		       "kernel 'kernel' has a payload that is no 64-bit kernel: it is damaged");
}

static void test_wrong_size(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_XZ);

	put_le32(image->data + image->len - 4, get_le32(image->data + image->len - 4) + 1);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' is damaged: its xz data unpacks to 5476 bytes "
		       "instead of 5477; take a fresh copy");
	put_le32(image->data + image->len - 4, get_le32(image->data + image->len - 4) - 2);
	assert_refused(span_of(image), 64,
		       "kernel 'kernel' has a payload that ends too early: "
		       "the file is damaged, take a fresh copy");
}

static void test_truncated(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_LZ4);
	struct guest guest;

	guest_init(&guest, 64);
	for (size_t len = 0; len < image->len; len++) {
		/* A copy of that length, so that reading behind it is seen. */
		g_autofree uint8_t *copy = g_memdup2(image->data, len + 1);
		g_autofree char *text = try_boot(&guest, (struct span){ copy, len }, no_initrd, "");

		g_assert_nonnull(text);
		if (len >= 0x290)
			g_assert_nonnull(strstr(text, " is truncated: "));
	}
	guest_release(&guest);
}

static void test_initrd(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_ZSTD), initrd = bytes_noise(47 << 20, 3);
	struct test_bzimage bz = { .initrd_max = 0x1ffffff };
	g_autoptr(GByteArray) low = make_bzimage(&bz);
	g_autofree char *fits = NULL, *not = NULL, *never = NULL;
	struct guest guest;

	/* 17 MiB and a bit are the kernel's: 46 MiB fit above it, 47 do not. */
	guest_init(&guest, 64);
	fits = try_boot(&guest, span_of(image), (struct span){ initrd->data, 46 << 20 }, "");
	g_assert_cmpstr(fits, ==, NULL);
	g_assert_cmphex(get_le32(at(&guest, ZERO_PAGE + 0x218)), ==, 18 << 20);
	assert_kernel(&guest);
	not = try_boot(&guest, span_of(image), span_of(initrd), "");
	g_assert_cmpstr(not, ==,
			"initrd 'initrd' of 47 MiB does not fit into the machine's memory: "
			"give the machine at least 65 MiB with --memory");
	guest_release(&guest);
	guest_init(&guest, 65);
	assert_boots(&guest, span_of(image), span_of(initrd), "");

	/* The kernel has its own idea of where an initrd may be. */
	assert_boots(&guest, span_of(low), (struct span){ initrd->data, 5000 }, "");
	g_assert_cmphex(get_le32(at(&guest, ZERO_PAGE + 0x218)), ==, (32 << 20) - 0x2000);
	never = try_boot(&guest, span_of(low), span_of(initrd), "");
	g_assert_cmpstr(never, ==,
			"initrd 'initrd' of 47 MiB does not fit: the kernel takes none that ends "
			"above 32 MiB; make it smaller");
	guest_release(&guest);
}

static void test_cmdline(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_GZIP);
	g_autofree char *longest = g_strnfill(2047, 'x'), *longer = g_strnfill(2048, 'x');
	g_autofree char *text = NULL;
	struct guest guest;

	guest_init(&guest, 64);
	assert_boots(&guest, span_of(image), no_initrd, longest);
	assert_bytes(&guest, CMDLINE, longest, 2048);
	text = try_boot(&guest, span_of(image), no_initrd, longer);
	g_assert_cmpstr(text, ==,
			"the command line has 2048 bytes and kernel 'kernel' takes 2047: "
			"shorten --append");
	guest_release(&guest);
}

/* Any header bytes: an error or a boot, nothing else. */
static void test_damaged_header(void)
{
	g_autoptr(GByteArray) image = make_linux(UNPACK_GZIP);
	struct guest guest;

	guest_init(&guest, 32);
	for (size_t i = 0x1f0; i < 0x270; i++) {
		static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
		const uint8_t old = image->data[i];

		for (size_t v = 0; v < G_N_ELEMENTS(values); v++) {
			g_autofree char *text = NULL;

			image->data[i] = values[v];
			text = try_boot(&guest, span_of(image), no_initrd, "");
			image->data[i] = old;
			/* It boots, or there is a sentence that says why not. */
			g_assert_true(!text || *text);
		}
	}
	guest_release(&guest);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (int kind = UNPACK_NONE + 1; kind < UNPACK_KIND_COUNT; kind++) {
		g_autofree char *path = g_strdup_printf("/machine/bzimage/unpacked/%s",
							unpack_name((enum unpack_kind)kind));

		g_test_add_data_func(path, GINT_TO_POINTER(kind), test_unpacked);
	}
	g_test_add_func("/machine/bzimage/packed", test_packed);
	g_test_add_func("/machine/bzimage/fixed", test_fixed);
	g_test_add_func("/machine/bzimage/refusals", test_refusals);
	g_test_add_func("/machine/bzimage/little-memory", test_little_memory);
	g_test_add_func("/machine/bzimage/bad-payload", test_bad_payload);
	g_test_add_func("/machine/bzimage/wrong-size", test_wrong_size);
	g_test_add_func("/machine/bzimage/truncated", test_truncated);
	g_test_add_func("/machine/bzimage/initrd", test_initrd);
	g_test_add_func("/machine/bzimage/cmdline", test_cmdline);
	g_test_add_func("/machine/bzimage/damaged-header", test_damaged_header);
	return g_test_run();
}
