/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-luks.c - secrets, ciphers, and LUKS headers: good ones, hostile ones, and half written ones
 */
#include "block/crypt/luks.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "qcow2-lab.h"

enum {
	LIMIT = 4 << 20,
	H_SLOTS = 208,
	SLOT_LEN = 48,
};

static const struct luks_options quick = {
	.method = { CRYPT_AES_128, CRYPT_CBC, CRYPT_ESSIV, CRYPT_MD5 },
	.hash = CRYPT_SHA256,
	.iter_time_ms = 1,
};

static uint8_t *from_hex(const char *hex)
{
	const size_t len = strlen(hex) / 2;
	uint8_t *bytes = g_malloc(len);

	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		g_assert_cmpint(sscanf(hex + 2 * i, "%2x", &byte), ==, 1);
		bytes[i] = (uint8_t)byte;
	}
	return bytes;
}

/* ---- secrets ---- */

static void refuse_secret(const char *data, const char *file, const char *format,
			  enum error_kind kind)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(secret_read("s", data, file, format, &error));
	g_assert_error(error, SOCLE_ERROR, (int)kind);
}

static void test_secret(void)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(secret_free);
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_strdup("socle-secret-XXXXXX"), *large = g_malloc0(SECRET_MAX + 2);
	const int fd = g_mkstemp(path);

	g_assert_cmpint(fd, >=, 0);
	g_close(fd, NULL);
	g_assert_true(g_file_set_contents(path, "a\0b\n", 4, NULL));
	g_ptr_array_add(all, secret_read("file", NULL, path, NULL, &error));
	g_ptr_array_add(all, secret_read("base64", "YWI=\n", NULL, "base64", &error));
	g_ptr_array_add(all, secret_read("empty", "", NULL, "raw", &error));
	g_assert_no_error(error);
	g_assert_cmpmem(secret_find(all, "file", NULL)->bytes, 5, "a\0b\n", 5);
	g_assert_cmpuint(secret_find(all, "file", NULL)->len, ==, 4);
	g_assert_cmpstr((char *)secret_find(all, "base64", NULL)->bytes, ==, "ab");
	g_assert_cmpuint(secret_find(all, "empty", NULL)->len, ==, 0);
	g_assert_null(secret_find(all, "other", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_assert_null(secret_find(NULL, "other", NULL));

	refuse_secret(NULL, NULL, NULL, SOCLE_ERROR_USAGE);
	refuse_secret("x", path, NULL, SOCLE_ERROR_USAGE);
	refuse_secret("x", NULL, "hex", SOCLE_ERROR_USAGE);
	refuse_secret("YWI", NULL, "base64", SOCLE_ERROR_USAGE);
	refuse_secret("Y=WI", NULL, "base64", SOCLE_ERROR_USAGE);
	refuse_secret("YW!=", NULL, "base64", SOCLE_ERROR_USAGE);
	refuse_secret(NULL, path, "base64", SOCLE_ERROR_USAGE);
	g_assert_true(g_file_set_contents(path, large, SECRET_MAX + 1, NULL));
	refuse_secret(NULL, path, NULL, SOCLE_ERROR_LIMIT);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_clear_error(&error);
	g_assert_null(secret_read("s", NULL, path, NULL, &error));
	g_assert_nonnull(strstr(error->message, path));
}

/* ---- ciphers ---- */

/* The fourth vector of IEEE 1619-2007, and what comes of it in another sector. */
static void test_xts(void)
{
	static const struct crypt_method method = { CRYPT_AES_128, CRYPT_XTS, CRYPT_PLAIN64, 0 };
	g_autofree uint8_t *key =
		from_hex("2718281828459045235360287471352631415926535897932384626433832795");
	g_autofree uint8_t *begin =
		from_hex("27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c");
	autoptr(crypt_cipher) cipher = crypt_cipher_new(&method, key, NULL);
	uint8_t plain[1024], buf[1024];

	for (unsigned i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)i;
	memcpy(buf, plain, sizeof(buf));
	g_assert_cmpint(crypt_cipher_encrypt(cipher, 0, buf, sizeof(buf)), ==, 0);
	g_assert_cmpmem(buf, 32, begin, 32);
	g_assert_true(memcmp(buf, buf + 512, 512) != 0);
	g_assert_cmpint(crypt_cipher_decrypt(cipher, 1, buf + 512, 512), ==, 0);
	g_assert_cmpmem(buf + 512, 512, plain, 512);
	g_assert_cmpint(crypt_cipher_decrypt(cipher, 0, buf, 512), ==, 0);
	g_assert_cmpmem(buf, 512, plain, 512);
}

/* What PLAIN forgets of a number, the others do not. */
static void test_sectors(void)
{
	for (unsigned i = 0; i < CRYPT_IVGEN_COUNT; i++) {
		const struct crypt_method method = { CRYPT_AES_256, CRYPT_CBC, (enum crypt_ivgen)i,
						     CRYPT_SHA256 };
		const uint8_t key[CRYPT_MAX_KEY] = { 1, 2, 3 };
		autoptr(crypt_cipher) cipher = crypt_cipher_new(&method, key, NULL);
		uint8_t a[512] = { 0 }, b[512] = { 0 };

		g_assert_cmpint(crypt_cipher_encrypt(cipher, 7, a, sizeof(a)), ==, 0);
		g_assert_cmpint(crypt_cipher_encrypt(cipher, (UINT64_C(1) << 32) + 7, b, sizeof(b)),
				==, 0);
		g_assert_cmpint(!memcmp(a, b, sizeof(a)), ==, i == CRYPT_PLAIN);
	}
}

/* Of RFC 6070. */
static void test_derive(void)
{
	g_autofree uint8_t *want = from_hex("4b007901b765489abead49d926f721d065a429c1");
	uint8_t key[20];

	g_assert_true(crypt_derive(CRYPT_SHA1, "password", 8, (const uint8_t *)"salt", 4, 4096, key,
				   sizeof(key), NULL));
	g_assert_cmpmem(key, sizeof(key), want, 20);
}

static void test_methods(void)
{
	static const struct crypt_method bad[] = {
		{ CRYPT_CAST5_128, CRYPT_XTS, CRYPT_PLAIN64, CRYPT_SHA256 },
		{ CRYPT_AES_256, CRYPT_CBC, CRYPT_ESSIV, CRYPT_SHA1 },
		{ CRYPT_TWOFISH_128, CRYPT_CBC, CRYPT_ESSIV, CRYPT_SHA512 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const uint8_t key[CRYPT_MAX_KEY] = { 0 };
		g_autoptr(GError) error = NULL;

		g_assert_null(crypt_cipher_new(&bad[i], key, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	}
}

/* ---- headers ---- */

struct fixture {
	struct tap *tap;
	struct luks_place place;
	struct luks_header header;
	struct secret *one, *two;
};

static void setup(struct fixture *f, const struct luks_options *options)
{
	GError *error = NULL;

	f->tap = tap_new();
	f->place = (struct luks_place){ "x", &f->tap->base, 4096, luks_len(options) };
	f->one = secret_new("one", "first", 5);
	f->two = secret_new("two", "second", 6);
	luks_create(&f->place, options, f->one, &error);
	g_assert_no_error(error);
	luks_read(&f->place, &f->header, &error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f)
{
	secret_free(f->one);
	secret_free(f->two);
	g_clear_pointer(&f->tap, tap_free);
}

/* By what is in the file, not what we remember. */
static bool opens(const struct fixture *f, const struct secret *secret)
{
	autoptr(crypt_cipher) cipher = NULL;
	g_autoptr(GError) error = NULL;
	struct luks_header header;

	luks_read(&f->place, &header, &error);
	g_assert_no_error(error);
	cipher = luks_unlock(&f->place, &header, secret, &error);
	if (!cipher)
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	return cipher;
}

static void test_all_methods(void)
{
	for (unsigned i = 0; i < CRYPT_ALGORITHM_COUNT * CRYPT_MODE_COUNT; i++) {
		struct luks_options options = {
			.method = { (enum crypt_algorithm)(i / 2), (enum crypt_mode)(i % 2),
				    CRYPT_PLAIN64, CRYPT_SHA256 },
			.hash = (enum crypt_hash)(i % CRYPT_HASH_COUNT),
			.iter_time_ms = 1,
		};
		struct fixture f;

		if (!crypt_method_check(&options.method, NULL))
			continue;
		setup(&f, &options);
		g_assert_cmpint(f.header.method.algorithm, ==, options.method.algorithm);
		g_assert_cmpint(f.header.method.mode, ==, options.method.mode);
		g_assert_cmpint(f.header.hash, ==, options.hash);
		g_assert_cmpuint(strlen(f.header.uuid), ==, 36);
		g_assert_true(opens(&f, f.one));
		g_assert_false(opens(&f, f.two));
		teardown(&f);
	}
}

static void test_slots(void)
{
	GError *error = NULL;
	struct fixture f;

	setup(&f, &quick);
	g_assert_false(
		luks_add_slot(&f.place, &f.header, f.two, f.two, LUKS_ANY_SLOT, 1, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	for (int i = 1; i < LUKS_SLOTS; i++) {
		luks_add_slot(&f.place, &f.header, f.one, f.two, LUKS_ANY_SLOT, 1, false, &error);
		g_assert_no_error(error);
	}
	g_assert_false(
		luks_add_slot(&f.place, &f.header, f.one, f.two, LUKS_ANY_SLOT, 1, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_clear_error(&error);
	g_assert_false(luks_add_slot(&f.place, &f.header, f.one, f.two, 0, 1, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_false(luks_add_slot(&f.place, &f.header, f.one, f.two, 8, 1, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	g_clear_error(&error);
	g_assert_true(opens(&f, f.two));

	/* All seven, and no more than those. */
	g_assert_true(luks_erase_slots(&f.place, &f.header, f.two, LUKS_ANY_SLOT, false, NULL));
	g_assert_false(opens(&f, f.two));
	g_assert_true(opens(&f, f.one));
	g_assert_false(luks_erase_slots(&f.place, &f.header, NULL, 3, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_clear_error(&error);
	g_assert_false(luks_erase_slots(&f.place, &f.header, f.one, LUKS_ANY_SLOT, false, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_DENIED);
	g_clear_error(&error);
	g_assert_true(luks_add_slot(&f.place, &f.header, f.one, f.two, 0, 1, true, NULL));
	g_assert_true(opens(&f, f.two));
	g_assert_false(opens(&f, f.one));
	g_assert_true(luks_erase_slots(&f.place, &f.header, NULL, 0, true, NULL));
	g_assert_false(opens(&f, f.two));
	teardown(&f);
}

/* What was erased is overwritten, not only said to be gone. */
static void test_erased(void)
{
	struct fixture f;
	uint8_t before[512], after[512];
	const uint64_t at = 4096 + 8 * 512;

	setup(&f, &quick);
	g_assert_cmpint(block_file_read(f.tap->inner, at, before, sizeof(before)), ==, 0);
	g_assert_true(luks_erase_slots(&f.place, &f.header, NULL, 0, true, NULL));
	g_assert_cmpint(block_file_read(f.tap->inner, at, after, sizeof(after)), ==, 0);
	for (unsigned i = 0; i < sizeof(before); i += 32)
		g_assert_true(memcmp(before + i, after + i, 32) != 0);
	teardown(&f);
}

static void test_hostile(void)
{
	static const struct {
		unsigned off;
		uint32_t value;
		enum error_kind kind;
	} cases[] = {
		{ 0, 0, SOCLE_ERROR_CORRUPT },
		{ 4, 0xbabe0002, SOCLE_ERROR_UNSUPPORTED },  /* version */
		{ 8, 0x726f7431, SOCLE_ERROR_UNSUPPORTED },  /* cipher */
		{ 40, 0x65636200, SOCLE_ERROR_UNSUPPORTED }, /* mode */
		{ 72, 0x6d643400, SOCLE_ERROR_UNSUPPORTED }, /* hash */
		{ 104, 0, SOCLE_ERROR_CORRUPT },             /* payload */
		{ 104, 1000, SOCLE_ERROR_CORRUPT },
		{ 108, 0, SOCLE_ERROR_UNSUPPORTED }, /* length of the key */
		{ 108, 0xffffffff, SOCLE_ERROR_UNSUPPORTED },
		{ 108, 32, SOCLE_ERROR_CORRUPT }, /* then slots overlap */
		{ 164, 0, SOCLE_ERROR_CORRUPT },  /* iterations of the digest */
		{ H_SLOTS, 5, SOCLE_ERROR_CORRUPT },
		{ H_SLOTS + 4, 0, SOCLE_ERROR_CORRUPT },
		{ H_SLOTS + 40, 0, SOCLE_ERROR_CORRUPT }, /* within the header */
		{ H_SLOTS + 40, 0xffffffff, SOCLE_ERROR_CORRUPT },
		{ H_SLOTS + 40, 0x10000000, SOCLE_ERROR_CORRUPT },
		{ H_SLOTS + 44, 1, SOCLE_ERROR_CORRUPT }, /* stripes */
		{ H_SLOTS + 44, 0xffffffff, SOCLE_ERROR_CORRUPT },
		{ H_SLOTS + SLOT_LEN + 40, 9, SOCLE_ERROR_CORRUPT }, /* that of the first slot */
	};
	struct luks_header header;
	struct fixture f;

	setup(&f, &quick);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		g_autoptr(GError) error = NULL;
		uint8_t before[4], bytes[4];

		put_be32(bytes, cases[i].value);
		block_file_read(f.tap->inner, 4096 + cases[i].off, before, 4);
		block_file_write(f.tap->inner, 4096 + cases[i].off, bytes, 4);
		if (luks_read(&f.place, &header, &error))
			g_error("case %u is not refused", i);
		if (!g_error_matches(error, SOCLE_ERROR, (int)cases[i].kind))
			g_error("case %u: %s", i, error->message);
		block_file_write(f.tap->inner, 4096 + cases[i].off, before, 4);
	}
	/* A place that ends too early. */
	f.place.len -= 8 * 512;
	g_assert_false(luks_read(&f.place, &header, NULL));
	f.place.len = 100;
	g_assert_false(luks_read(&f.place, &header, NULL));
	teardown(&f);
}

/* Hours of work are refused before they begin. */
static void test_bomb(void)
{
	static const unsigned places[] = { 164, H_SLOTS + 4 };

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		g_autoptr(GError) error = NULL;
		struct luks_header header;
		struct fixture f;
		uint8_t bytes[4];

		setup(&f, &quick);
		put_be32(bytes, UINT32_MAX);
		block_file_write(f.tap->inner, 4096 + places[i], bytes, 4);
		g_assert_true(luks_read(&f.place, &header, NULL));
		g_assert_null(luks_unlock(&f.place, &header, f.one, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
		teardown(&f);
	}
}

/* ---- half written ---- */

static bool change(struct fixture *f, bool erase, GError **error)
{
	return erase ? luks_erase_slots(&f->place, &f->header, f->two, LUKS_ANY_SLOT, false, error)
		     : luks_add_slot(&f->place, &f->header, f->one, f->two, LUKS_ANY_SLOT, 1, false,
				     error);
}

/* Each call fails once; the first secret opens it whatever happens, and the second try succeeds. */
static void test_failures(gconstpointer data)
{
	const bool erase = GPOINTER_TO_INT(data);
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		GError *error = NULL;
		struct fixture f;

		setup(&f, &quick);
		if (erase)
			g_assert_true(change(&f, false, NULL));
		f.tap->fail_at = n;
		f.tap->fail_with = 5;
		f.tap->failed = false;
		failed = !change(&f, erase, &error);
		g_assert_cmpint(failed, ==, f.tap->failed);
		f.tap->fail_at = 0;
		g_clear_error(&error);
		g_assert_true(opens(&f, f.one));
		if (!failed)
			g_assert_cmpint(opens(&f, f.two), ==, !erase);
		teardown(&f);
	}
}

/* The file as a cut leaves it: all up to the last sync, and a beginning of what came after. */
static void test_power_cut(gconstpointer data)
{
	const bool erase = GPOINTER_TO_INT(data);
	g_autofree uint8_t *before = g_malloc0(LIMIT);
	struct fixture f;
	unsigned events;

	setup(&f, &quick);
	if (erase)
		g_assert_true(change(&f, false, NULL));
	g_assert_cmpint(block_file_read(f.tap->inner, 0, before, LIMIT), ==, 0);
	tap_record(f.tap);
	g_assert_true(change(&f, erase, NULL));
	events = f.tap->log->len;
	g_assert_cmpuint(events, >=, 5);
	for (unsigned cut = 0; cut <= events; cut++) {
		struct fixture after = f;

		after.tap = tap_new();
		g_assert_cmpint(block_file_write(after.tap->inner, 0, before, LIMIT), ==, 0);
		after.place.file = &after.tap->base;
		for (unsigned i = 0; i < cut; i++) {
			const struct tap_event *e = &g_array_index(f.tap->log, struct tap_event, i);

			/* Half of the last one, in sectors, as a disk writes it. */
			if (e->kind == TAP_WRITE)
				block_file_write(after.tap->inner, e->off, e->data,
						 i + 1 == cut ? e->len / 2 & ~UINT64_C(511)
							      : e->len);
		}
		g_assert_true(opens(&after, f.one));
		tap_free(after.tap);
	}
	teardown(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/luks/secret", test_secret);
	g_test_add_func("/block/luks/xts", test_xts);
	g_test_add_func("/block/luks/sectors", test_sectors);
	g_test_add_func("/block/luks/derive", test_derive);
	g_test_add_func("/block/luks/methods", test_methods);
	g_test_add_func("/block/luks/all-methods", test_all_methods);
	g_test_add_func("/block/luks/slots", test_slots);
	g_test_add_func("/block/luks/erased", test_erased);
	g_test_add_func("/block/luks/hostile", test_hostile);
	g_test_add_func("/block/luks/bomb", test_bomb);
	g_test_add_data_func("/block/luks/failures-add", GINT_TO_POINTER(0), test_failures);
	g_test_add_data_func("/block/luks/failures-erase", GINT_TO_POINTER(1), test_failures);
	g_test_add_data_func("/block/luks/power-cut-add", GINT_TO_POINTER(0), test_power_cut);
	g_test_add_data_func("/block/luks/power-cut-erase", GINT_TO_POINTER(1), test_power_cut);
	return g_test_run();
}
