/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-seed.c - the CD for cloud-init: what is written is what is read, and damage is told
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/seed.h"

enum {
	SECTOR = 2048
};

static GByteArray *image_of(const char *meta, const char *user, const char *network)
{
	struct seed seed = {
		.meta_data = (char *)(uintptr_t)meta,
		.user_data = (char *)(uintptr_t)user,
		.network_config = (char *)(uintptr_t)network,
		.vendor_data = (char *)(uintptr_t)network,
	};

	return seed_image(&seed);
}

static void test_back(void)
{
	g_autofree char *large = g_strnfill(3 * SECTOR + 1, 'x');
	g_autoptr(GByteArray) image = image_of("m", large, "network");
	g_autoptr(GByteArray) again = image_of("m", large, "network");
	g_autoptr(GError) error = NULL;
	autoptr(seed) seed = seed_read(image->data, image->len, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(seed->meta_data, ==, "m");
	g_assert_cmpstr(seed->user_data, ==, large);
	g_assert_cmpstr(seed->network_config, ==, "network");
	g_assert_cmpstr(seed->vendor_data, ==, "network");
	g_assert_cmpuint(image->len % SECTOR, ==, 0);
	g_assert_cmpmem(image->data, image->len, again->data, again->len);
}

/* What a clone is told to forget is one more file. */
static void test_vendor(void)
{
	g_autofree char *vendor = seed_vendor_data_anew();
	struct seed told = {
		.meta_data = (char *)(uintptr_t) "m",
		.user_data = (char *)(uintptr_t) "u",
		.network_config = (char *)(uintptr_t) "n",
		.vendor_data = vendor,
	};
	g_autoptr(GByteArray) image = seed_image(&told);
	autoptr(seed) seed = seed_read(image->data, image->len, NULL);

	g_assert_nonnull(strstr(vendor, "machine-id"));
	g_assert_cmpstr(seed->vendor_data, ==, vendor);
	g_assert_cmpstr(seed->network_config, ==, "n");
}

static void test_layout(void)
{
	g_autoptr(GByteArray) image = image_of("meta", "user", NULL);
	const uint8_t *iso = image->data + 16 * SECTOR, *joliet = iso + SECTOR;
	const uint8_t *wide = image->data + 24 * SECTOR + 2 * 34;
	static const uint8_t name[] = { 0,   'm', 0,   'e', 0,   't', 0,   'a', 0,
					'-', 0,   'd', 0,   'a', 0,   't', 0,   'a' };

	g_assert_cmpmem(iso, 6, "\1CD001", 6);
	g_assert_cmpmem(iso + 40, 8, "CIDATA  ", 8);
	g_assert_cmpuint(get_le32(iso + 80) * SECTOR, ==, image->len);
	g_assert_cmpuint(get_be32(iso + 84) * SECTOR, ==, image->len);
	g_assert_cmpmem(joliet, 6, "\2CD001", 6);
	g_assert_cmpmem(joliet + 88, 3, "%/E", 3);
	g_assert_cmpmem(joliet + 40, 12, "\0C\0I\0D\0A\0T\0A", 12);
	g_assert_cmpmem(image->data + 18 * SECTOR, 6, "\377CD001", 6);
	g_assert_cmpuint(wide[32], ==, sizeof(name));
	g_assert_cmpmem(wide + 33, wide[32], name, sizeof(name));
	/* Both folders lead to the same bytes. */
	g_assert_cmpmem(image->data + (size_t)get_le32(wide + 2) * SECTOR, get_le32(wide + 10),
			"meta", 4);
}

static void refused(const uint8_t *image, size_t len)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(seed_read(image, len, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
}

/* Whatever stands in it: a text, or an error. */
static void test_damage(void)
{
	g_autoptr(GByteArray) image = image_of("meta", "user", "network");
	g_autoptr(GByteArray) lacks = image_of("meta", NULL, NULL);

	for (size_t len = 0; len < image->len - 2 * SECTOR; len += 512)
		refused(image->data, len);
	refused(lacks->data, lacks->len);
	for (unsigned at = 16 * SECTOR; at < 24 * SECTOR; at++) {
		for (unsigned value = 0; value < 256; value += 85) {
			uint8_t before = image->data[at];

			image->data[at] = (uint8_t)value;
			seed_free(seed_read(image->data, image->len, NULL));
			image->data[at] = before;
		}
	}
}

static void test_texts(void)
{
	char key[] = "ssh-ed25519 AAAA \"me\": you";
	char *keys[] = { key, NULL };
	const char *macs[] = { "52:54:00:00:00:01", "52:54:00:00:00:02" };
	g_autofree char *meta = seed_meta_data("i-1", "web", keys);
	g_autofree char *bare = seed_meta_data("i-1", "web", NULL);
	g_autofree char *anew = seed_meta_data_anew(meta, "i-2", "db");
	g_autofree char *same = seed_meta_data("i-2", "db", keys);
	g_autofree char *network = seed_network_config(macs, 2), *vendor = seed_vendor_data_anew();

	g_assert_nonnull(strstr(meta, "\"ssh-ed25519 AAAA \\\"me\\\": you\""));
	g_assert_nonnull(strstr(meta, "\"instance-id\": \"i-1\""));
	g_assert_null(strstr(bare, "public-keys"));
	g_assert_cmpstr(anew, ==, same);
	g_assert_null(seed_meta_data_anew("instance-id: i-1\n", "i-2", "db"));
	g_assert_null(seed_meta_data_anew("[1]", "i-2", "db"));
	g_assert_nonnull(strstr(network, "\"macaddress\": \"52:54:00:00:00:02\""));
	g_assert_true(g_str_has_prefix(vendor, "#cloud-boothook\n"));
}

static void test_hostname(void)
{
	static const char *const names[][2] = {
		{ "web", "web" },        { "Web.1_x", "Web-1-x" }, { "--a--", "a" },
		{ "\303\244", "guest" }, { "", "guest" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *host = seed_hostname(names[i][0]);

		g_assert_cmpstr(host, ==, names[i][1]);
	}
}

#define ED25519 "AAAAC3NzaC1lZDI1NTE5AAAAIOWNNRIX2ovSSexaIw/C3RApR903kJrzlmXpPPmRugFM"
#define ECDSA                                                                                      \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCYyaQgTnmPNdQk7jr2VH0FA93LT26fmvqrX" \
	"L"                                                                                        \
	"rnSGxanO25Ny7sjKqSpt7MAIGVY6nEU2Le77pvwQmY+2VdaGos="

static void test_keys(void)
{
	static const char *const good[] = {
		"ssh-ed25519 " ED25519,
		"ssh-ed25519\t" ED25519 " a comment",
		"ecdsa-sha2-nistp256 " ECDSA " me",
		"from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\"\" ssh-ed25519 " ED25519 " me",
		"no-pty ssh-ed25519 " ED25519,
	};
	static const char *const bad[] = {
		"",
		"key",
		"root:x:0:0:root:/root:/bin/bash",
		"ssh-ed25519",
		"ssh-ed25519 AAAA me",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOWNNRIX2ovSSexaIw me",
		"ssh-ed25519 " ED25519 "AAAA me", /* something behind its last text */
		"ssh-rsa " ED25519 " me",
		ED25519,
		"a b ssh-ed25519 " ED25519,
		"command=\"x ssh-ed25519 " ED25519,
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(seed_is_key(good[i]));
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(seed_is_key(bad[i]));
}

static void test_user_data(void)
{
	static const char *const good[] = {
		"#cloud-config\n{}\n",
		"\n #Cloud-Config\n",
		"#!/bin/sh\n",
		"\357\273\277#cloud-config\n",
		"#include\nhttp://x\n",
		"## template: jinja\n#cloud-config",
		"Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n",
	};
	static const char *const bad[] = { "", "\n", "packages: [ vim ]\n", "# cloud-config\n",
					   "<x/>" };

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_true(seed_check_user_data(good[i], &error));
		g_assert_no_error(error);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(seed_check_user_data(bad[i], &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/seed/back", test_back);
	g_test_add_func("/cli/seed/vendor", test_vendor);
	g_test_add_func("/cli/seed/layout", test_layout);
	g_test_add_func("/cli/seed/damage", test_damage);
	g_test_add_func("/cli/seed/texts", test_texts);
	g_test_add_func("/cli/seed/hostname", test_hostname);
	g_test_add_func("/cli/seed/keys", test_keys);
	g_test_add_func("/cli/seed/user-data", test_user_data);
	return g_test_run();
}
