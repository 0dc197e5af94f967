/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-netdev.c - QMP: netdev_add, which waits for name servers aside
 *
 * A network whose hosts are given in figures is made at once. Else a thread looks the names up, and
 * the main loop makes the network, and answers, when it knows them. What the thread works with is its
 * own: when the machine ends before, it is left to it (base/aside.h).
 */
#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/commands.h"
#include "vmm/vmm-int.h"

struct lookup {
	struct vmm *vmm;
	struct qmp_request *request;
	struct aside *aside; /* NULL: nothing is looked up */
	struct keyvalue list;
	struct netdev_spec spec;
	bool found;
	GError *error;
};

static void lookup_free(void *opaque)
{
	struct lookup *lookup = opaque;

	netdev_spec_release(&lookup->spec);
	keyvalue_release(&lookup->list);
	g_clear_error(&lookup->error);
	g_free(lookup);
}
DEFINE_AUTOPTR(lookup, lookup_free);

/* Nobody can hand a descriptor over by QMP: the number would be one of our own. */
static bool names_fd(const struct keyvalue *list, GError **error)
{
	static const char *const keys[] = { "fd", "fds", "addr.str", "local.str" };

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!keyvalue_get(list, keys[i]))
			continue;
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "'%s': a running machine takes no descriptors; start it with --net fd=N",
			  keys[i]);
		return true;
	}
	return false;
}

static struct lookup *lookup_new(struct vmm *vmm, const json_t *args, struct qmp_request *request,
				 GError **error)
{
	autoptr(lookup) lookup = g_new0(struct lookup, 1);
	const char *type, *id;

	lookup->vmm = vmm;
	lookup->request = request;
	if (!keyvalue_from_json(&lookup->list, args, error)) {
		lookup->list.count = 0;
		return NULL;
	}
	type = keyvalue_take(&lookup->list, "type");
	id = keyvalue_take(&lookup->list, "id");
	if (names_fd(&lookup->list, error) ||
	    !netdev_spec_take(&lookup->spec, type, &lookup->list, error))
		return NULL;
	lookup->spec.id = id;
	(void)keyvalue_take(&lookup->list, "queues");
	(void)keyvalue_take(&lookup->list, "mtu");
	return keyvalue_done(&lookup->list, netdev_spec_keys, error) ? g_steal_pointer(&lookup)
								     : NULL;
}

/* [the thread] */
static void look_up(void *opaque)
{
	struct lookup *lookup = opaque;

	lookup->found = netdev_spec_look_up(&lookup->spec, &lookup->error);
}

static void make(struct lookup *lookup)
{
	struct qmp_request *request = lookup->request;
	g_autoptr(GError) error = g_steal_pointer(&lookup->error);
	bool ok = lookup->found && netdev_add(lookup->vmm, &lookup->spec, false, &error);

	qmp_request_answer(request, ok ? json_object() : NULL, error);
}

static void looked_up(void *opaque)
{
	struct lookup *lookup = opaque;

	g_ptr_array_remove_fast(lookup->vmm->lookups, lookup);
	make(lookup);
	aside_drop(lookup->aside);
}

void start_netdev_add(void *opaque, const json_t *args, struct qmp_request *request)
{
	struct vmm *vmm = opaque;
	g_autoptr(GError) error = NULL;
	autoptr(lookup) lookup = lookup_new(vmm, args, request, &error);

	if (lookup && !netdev_spec_has_names(&lookup->spec)) {
		lookup->found = true;
		make(lookup);
		return;
	}
	if (lookup)
		lookup->aside = aside_start(&(struct aside_work){ .name = "lookup",
								  .fn = look_up,
								  .end = looked_up,
								  .free = lookup_free,
								  .arg = lookup },
					    &error);
	if (!lookup || !lookup->aside)
		qmp_request_answer(request, NULL, error);
	else
		g_ptr_array_add(vmm->lookups, g_steal_pointer(&lookup));
}

void lookups_end(struct vmm *vmm)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE, "the machine ends");
	while (vmm->lookups->len) {
		struct lookup *lookup = g_ptr_array_steal_index(vmm->lookups, 0);

		qmp_request_answer(lookup->request, NULL, error);
		aside_drop(lookup->aside);
	}
}
