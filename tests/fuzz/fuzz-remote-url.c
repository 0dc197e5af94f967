/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-remote-url.c - names of images on other hosts, which come from definitions and command lines
 *
 * Properties: an error has one line; what is accepted is written so that reading it again gives the same; its
 * parts are text within the limits, without control characters; no password is in it.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "block/remote/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const char *part)
{
	if (!part)
		return;
	assert(strlen(part) <= REMOTE_PART_MAX);
	for (const char *p = part; *p; p++)
		assert(!g_ascii_iscntrl(*p));
}

static void check(const struct remote_url *url)
{
	g_autofree char *text = remote_url_format(url), *second = NULL;
	autoptr(remote_url) again = remote_url_parse(text, NULL);

	check_part(url->user);
	check_part(url->host);
	check_part(url->name);
	check_part(url->space);
	check_part(url->image);
	assert(url->name && *url->name && !strpbrk(url->host, "/@ "));
	assert(url->kind == REMOTE_ISCSI ? url->lun < 16384 && *url->host : url->image != NULL);
	/* Only what was at the limit may have grown beyond it. */
	if (!again) {
		assert(strlen(text) > REMOTE_URL_MAX);
		return;
	}
	second = remote_url_format(again);
	assert(!strcmp(text, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	GError *error = NULL;
	autoptr(remote_url) url = remote_url_parse(text, &error);

	if (url) {
		assert(!error && remote_url_is(text));
		check(url);
	} else {
		assert(error && *error->message);
		g_error_free(error);
	}
	return 0;
}
