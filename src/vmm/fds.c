/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fds.c - descriptors that QMP's client has sent, by names: getfd and closefd
 */
#include "vmm/fds.h"

#include "base/error.h"
#include "base/sys.h"
#include "monitor/qmp-server.h"
#include "vmm/commands-int.h"
#include "vmm/vmm-int.h"

enum {
	FDS_MAX = 64
};

struct fds {
	GHashTable *by_name; /* of int * */
};

static void close_one(gpointer opaque)
{
	fd_autoclose(opaque);
	g_free(opaque);
}

struct fds *fds_new(void)
{
	struct fds *fds = g_new(struct fds, 1);

	fds->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_one);
	return fds;
}

void fds_free(struct fds *fds)
{
	if (!fds)
		return;
	g_hash_table_unref(fds->by_name);
	g_free(fds);
}

int fds_take(struct fds *fds, const char *name, GError **error)
{
	int *kept = g_hash_table_lookup(fds->by_name, name);
	int fd;

	if (!kept) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "File descriptor named '%s' has not been found", name);
		return -1;
	}
	fd = fd_steal(kept);
	g_hash_table_remove(fds->by_name, name);
	return fd;
}

json_t *run_getfd(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *name = json_string_value(json_object_get(args, "fdname"));
	autofd int fd = qmp_server_take_fd(vmm->monitor);

	if (fd < 0) {
		error_set(error, SOCLE_ERROR_USAGE, "No file descriptor supplied via SCM_RIGHTS");
		return NULL;
	}
	if (g_ascii_isdigit(name[0])) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'fdname' expects a name not starting with a digit");
		return NULL;
	}
	if (g_hash_table_size(vmm->fds->by_name) >= FDS_MAX) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "%d descriptors wait for their use; closefd those that have none",
			  FDS_MAX);
		return NULL;
	}
	g_hash_table_replace(vmm->fds->by_name, g_strdup(name),
			     g_memdup2(&(int){ fd_steal(&fd) }, sizeof(int)));
	return json_object();
}

json_t *run_closefd(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	autofd int fd =
		fds_take(vmm->fds, json_string_value(json_object_get(args, "fdname")), error);

	return fd < 0 ? NULL : json_object();
}
