/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.c - what opens encrypted images: bytes with a name, which are zeroed when they go
 */
#include "block/crypt/secret.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/scan.h"
#include "base/sys.h"

void secret_wipe(void *bytes, size_t len)
{
	explicit_bzero(bytes, len);
}

void secret_wipe_text(char *text)
{
	if (!text)
		return;
	secret_wipe(text, strlen(text));
	g_free(text);
}

struct secret *secret_new(const char *id, const void *bytes, size_t len)
{
	struct secret *secret = g_new(struct secret, 1);

	*secret = (struct secret){ g_strdup(id), g_malloc0(len + 1), len };
	if (len)
		memcpy(secret->bytes, bytes, len);
	return secret;
}

void secret_free(void *opaque)
{
	struct secret *secret = opaque;

	if (!secret)
		return;
	secret_wipe(secret->bytes, secret->len);
	g_free(secret->bytes);
	g_free(secret->id);
	g_free(secret);
}

/* All of a file, which may be a pipe. */
static struct secret *read_file(const char *id, const char *path, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY, 0);
	g_autofree uint8_t *bytes = g_malloc(SECRET_MAX + 1);
	struct secret *secret = NULL;
	ssize_t n = fd < 0 ? fd : 1;
	size_t len = 0;

	while (n > 0 && len <= SECRET_MAX) {
		n = sys_read(fd, bytes + len, SECRET_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		error_sys(error, (int)n, "cannot read secret '%s' from '%s'", id, path);
	else if (len > SECRET_MAX)
		error_set(
			error, SOCLE_ERROR_LIMIT,
			"secret '%s' in '%s' is longer than %d bytes; give a file that has nothing "
			"else in it",
			id, path, SECRET_MAX);
	else
		secret = secret_new(id, bytes, len);
	secret_wipe(bytes, len);
	return secret;
}

static bool decode(struct secret *secret, GError **error)
{
	size_t len = 0;
	uint8_t *bytes;

	/* A NUL in it would hide what follows. */
	if (strlen((char *)secret->bytes) != secret->len || !scan_is_base64((char *)secret->bytes))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "secret '%s' is no base64, as format=base64 says it is; give "
				 "format=raw or correct it",
				 secret->id);
	bytes = g_base64_decode((char *)secret->bytes, &len);
	secret_wipe(secret->bytes, secret->len);
	g_free(secret->bytes);
	secret->bytes = g_malloc0(len + 1);
	memcpy(secret->bytes, bytes, len);
	secret->len = len;
	secret_wipe(bytes, len);
	g_free(bytes);
	return true;
}

struct secret *secret_read(const char *id, const char *data, const char *file, const char *format,
			   GError **error)
{
	autoptr(secret) secret = NULL;

	if (!data == !file) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "secret '%s' is given either by data=TEXT or by file=FILE", id);
		return NULL;
	}
	if (format && strcmp(format, "raw") != 0 && strcmp(format, "base64") != 0) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "the format of secret '%s' is raw or base64, not '%s'", id, format);
		return NULL;
	}
	secret = data ? secret_new(id, data, strlen(data)) : read_file(id, file, error);
	if (!secret || (format && !strcmp(format, "base64") && !decode(secret, error)))
		return NULL;
	return g_steal_pointer(&secret);
}

const struct secret *secret_find(const GPtrArray *secrets, const char *id, GError **error)
{
	for (unsigned i = 0; secrets && i < secrets->len; i++) {
		const struct secret *secret = g_ptr_array_index(secrets, i);

		if (!strcmp(secret->id, id))
			return secret;
	}
	error_set(error, SOCLE_ERROR_NOT_FOUND,
		  "No secret with id '%s'; name it with --object secret,id=%s,file=FILE", id, id);
	return NULL;
}
