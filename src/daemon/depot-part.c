/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-part.c - volumes that are no files: a copy has its name when it is complete
 *
 * Until then it is a part, under a name that no volume can have. Who is killed meanwhile leaves that. It is
 * removed when the pool is started or gets a volume the next time; but never while it is being made:
 *  (1) This daemon knows its own, from before they are made until they have their name or are gone.
 *  (2) Of another host, which may have the same volumes, the names are others.
 *  (3) Of a daemon that was killed a program may go on for a while. It has the part open, so the host's
 *      tools refuse to remove it.
 * No name is used twice, so who removes one cannot hit what had it before.
 */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/pools-int.h"

enum {
	HOST_DIGITS = 8,
	NUMBER_DIGITS = 16,
};

/* As of files, which no volume's name may begin with (model/check-storage.c). */
static const char prefix[] = ".socle-", suffix[] = ".part", digits[] = "0123456789abcdef";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static GQueue being_made = G_QUEUE_INIT;                 /* of char *, owned by their makers */

bool depot_is_part(const char *name)
{
	const char *host = name + strlen(prefix), *number = host + HOST_DIGITS + 1;

	return g_str_has_prefix(name, prefix) && strspn(host, digits) == HOST_DIGITS &&
	       host[HOST_DIGITS] == '-' && strspn(number, digits) == NUMBER_DIGITS &&
	       !strcmp(number + NUMBER_DIGITS, suffix);
}

/* A new name, for part_end(); NULL with an error. */
static char *part_begin(const struct depot *depot, GError **error)
{
	uint64_t number;
	int ret = sys_random(&number, sizeof(number));
	char *name;

	if (ret < 0) {
		error_sys(error, ret, "cannot make a name for a new volume");
		return NULL;
	}
	name = g_strdup_printf("%s%08" PRIx32 "-%016" PRIx64 "%s", prefix, depot->host, number,
			       suffix);
	pthread_mutex_lock(&lock);
	g_queue_push_tail(&being_made, name);
	pthread_mutex_unlock(&lock);
	return name;
}

static void part_end(char *name)
{
	pthread_mutex_lock(&lock);
	(void)g_queue_remove(&being_made, name);
	pthread_mutex_unlock(&lock);
	g_free(name);
}

static bool is_being_made(const char *name)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (const GList *l = being_made.head; l && !found; l = l->next)
		found = !strcmp(l->data, name);
	pthread_mutex_unlock(&lock);
	return found;
}

/* == Those that were left == */

static bool is_left(const struct depot *depot, const char *name)
{
	g_autofree char *ours = g_strdup_printf("%s%08" PRIx32 "-", prefix, depot->host);

	return depot_is_part(name) && g_str_has_prefix(name, ours) && !is_being_made(name);
}

/* Whoever asks for something else hears nothing of one that is still open: there is a next time. */
static void sweep(const struct depot *depot, const GPtrArray *names)
{
	for (unsigned i = 0; i < names->len; i++) {
		if (is_left(depot, names->pdata[i]))
			(void)depot->kind->remove(depot, names->pdata[i], false, NULL);
	}
}

void depot_sweep(const struct depot *depot)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (depot->kind->rename && depot->kind->list(depot, names, NULL))
		sweep(depot, names);
}

/* == A new one == */

static bool create_copy(const struct depot *depot, const struct vol_create *what,
			const struct storage_vol *source, int source_fd, struct vol_work *work,
			GError **error)
{
	const struct depot_kind *kind = depot->kind;
	char *part = part_begin(depot, error);
	bool ok;

	if (!part)
		return false;
	ok = kind->create(depot, what, part, source, source_fd, work, error);
	if (ok) {
		/* Programs do not look whether it is still wanted. */
		ok = work_is_wanted(work, error) &&
		     kind->rename(depot, part, what->vol->name, error);
		if (!ok)
			(void)kind->remove(depot, part, false, NULL);
	}
	part_end(part);
	return ok;
}

bool depot_create(const struct depot *depot, const struct vol_create *what,
		  const struct storage_vol *source, int source_fd, struct vol_work *work,
		  GError **error)
{
	const struct depot_kind *kind = depot->kind;
	const char *name = what->vol->name;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!kind->rename)
		return kind->create(depot, what, name, source, source_fd, work, error);
	if (!kind->list(depot, names, error))
		return false;
	/* What is copied for an hour is not to hear of it then. */
	if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "storage vol '%s' already exists; give the new one another name",
				 name);
	sweep(depot, names);
	return source ? create_copy(depot, what, source, source_fd, work, error)
		      : kind->create(depot, what, name, source, source_fd, work, error);
}
