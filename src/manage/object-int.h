/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object-int.h - what calls are about: a domain, or another thing that has a name and takes one change at a time
 *
 * Whose object it is embeds it. It lives until nobody has a reference; a call that holds it may see it longer
 * than the tables do: then it is "gone". Who has its turn at it, and who waits: call.c.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_OBJECT_INT_H
#define MANAGE_OBJECT_INT_H

#include <glib.h>
#include <stdbool.h>

#include "rpc/codes.h"

struct object;

/* The same for all objects of a kind. */
struct object_kind {
	const char *noun; /* in sentences for clients: "domain" */
	enum rpc_from from;
	const char *remedy; /* of an operation that does not end: "destroy the domain" */
	void (*free)(struct object *object);
};

struct object {
	const struct object_kind *kind;
	const char *name; /* the owner's, who keeps this up to date */
	unsigned refs;
	bool gone;
	GQueue jobs;          /* of struct call: the first one runs */
	unsigned client_jobs; /* of them, those that clients have asked for */
	unsigned ending;      /* no job begins meanwhile: what it is about is being let go */
	gint64 job_since;     /* monotonic, microseconds; when the first one began */
};

/* With one reference. */
static inline void object_init(struct object *object, const struct object_kind *kind,
			       const char *name)
{
	*object = (struct object){ .kind = kind, .name = name, .refs = 1 };
	g_queue_init(&object->jobs);
}

static inline struct object *object_ref(struct object *object)
{
	object->refs++;
	return object;
}

static inline void object_unref(struct object *object)
{
	if (object && --object->refs == 0)
		object->kind->free(object);
}

/* The first job begins, unless it runs already or has to wait (call.c). */
void object_next_job(struct object *object);

#endif
