/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-provision.c - what socle create, clone and install read of others: CDs for cloud-init, files of answers, trees
 *
 * The first byte says what the rest is: a CD from its 16th sector on, meta-data of a CD that a clone takes over,
 * answers for an installer, a tree's .treeinfo.
 */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "cli/install.h"
#include "cli/seed.h"

enum {
	DESCRIPTOR = 16 * 2048, /* what stands before it means nothing */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and read again. */
static void check_again(const struct seed *seed)
{
	g_autoptr(GByteArray) image = seed_image(seed);
	autoptr(seed) again = seed_read(image->data, image->len, NULL);

	assert(again);
	g_assert_cmpstr(seed->meta_data, ==, again->meta_data);
	g_assert_cmpstr(seed->user_data, ==, again->user_data);
	g_assert_cmpstr(seed->network_config, ==, again->network_config);
	g_assert_cmpstr(seed->vendor_data, ==, again->vendor_data);
}

static void try_cd(const uint8_t *data, size_t size)
{
	g_autofree uint8_t *image = g_malloc0(DESCRIPTOR + size);
	g_autoptr(GError) error = NULL;
	autoptr(seed) seed = NULL;

	memcpy(image + DESCRIPTOR, data, size);
	seed = seed_read(image, DESCRIPTOR + size, &error);
	assert(!seed == (error != NULL));
	if (seed)
		check_again(seed);
}

static void try_meta_data(const char *text)
{
	g_autofree char *anew = seed_meta_data_anew(text, "id", "host"), *again = NULL;
	g_autofree char *host = seed_hostname(text);

	assert(*host && strlen(host) <= 63);
	if (!anew)
		return;
	again = seed_meta_data_anew(anew, "id", "host");
	assert(again);
}

static void try_treeinfo(const char *text, size_t len)
{
	g_autoptr(GError) error = NULL;
	struct treeinfo info;

	if (!treeinfo_parse(text, len, &info, &error)) {
		assert(error && !info.kernel);
		return;
	}
	assert(!info.kernel == !info.initrd);
	assert(!info.kernel || (info.kernel[0] != '/' && !g_str_has_prefix(info.kernel, "../")));
	assert(!info.kernel || !strstr(info.kernel, "/../"));
	treeinfo_release(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = size ? g_strndup((const char *)data + 1, size - 1) : NULL;

	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		try_cd(data + 1, size - 1);
		break;
	case 1:
		try_meta_data(text);
		break;
	case 2:
		(void)answers_name(answers_of(text));
		break;
	default:
		try_treeinfo(text, strlen(text));
		break;
	}
	return 0;
}
