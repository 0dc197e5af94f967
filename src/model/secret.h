/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.h - what is told of a secret, in libvirt's XML: never its value
 */
#ifndef MODEL_SECRET_H
#define MODEL_SECRET_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/notes.h"
#include "model/value.h"

/* libvirt's numbers. */
enum secret_use {
	SECRET_USE_NONE,
	SECRET_USE_VOLUME,
	SECRET_USE_CEPH,
	SECRET_USE_ISCSI,
	SECRET_USE_TLS,
	SECRET_USE_VTPM,
	SECRET_USE_COUNT
};

struct secret_usage {
	enum secret_use type;
	char *volume, *name, *target; /* one of them, by the type */
};

struct secret_def {
	enum tristate ephemeral, private;
	char *uuid, *description;
	struct secret_usage usage;
};

enum secret_parse_flags {
	SECRET_PARSE_STRICT = 1 << 0, /* an unknown element or attribute is an error */
};

struct secret_def *secret_def_parse(const char *xml, size_t len, unsigned flags,
				    struct notes *notes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The step fill in: a UUID, and what is not said is no. */
void secret_def_fill(struct secret_def *def);
bool secret_def_check(const struct secret_def *def, GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *secret_def_format(const struct secret_def *def);
/* NULL is fine. */
void secret_def_free(struct secret_def *def);
DEFINE_AUTOPTR(secret_def, secret_def_free);

/* What it is for: a path, a name, a target; "" if that is not said. */
const char *secret_def_usage(const struct secret_def *def);

#endif
