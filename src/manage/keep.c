/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keep.c - what is kept of domains over restarts of the daemon
 *
 * A definition's file is XML that people can read. What is ours stands in a comment in front of it:
 *
 *	<!--
 *	socle domain
 *	autostart yes
 *	-->
 *	<domain ...
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "manage/keep-int.h"
#include "manage/net-int.h"
#include "manage/pool-int.h"
#include "manage/secret-int.h"
#include "manage/snapshots-int.h"
#include "manage/timer-int.h"
#include "manage/vm-int.h"

enum {
	STATUS_AGAIN_MS = 1000 /* behind a state that could not be kept */
};

const char keep_head_start[] = "<!--\n", keep_head_end[] = "-->\n";

static void save(struct vm *vm, enum store_kind kind, const char *text, struct task *task)
{
	const struct node_config *config = &vm->dom.node->config;

	if (config->store)
		config->store->save(config->store_opaque, kind, vm->dom.uuid_text, text, task);
	else
		task_end(task, NULL);
}

static void forget(struct vm *vm, enum store_kind kind, struct task *task)
{
	const struct node_config *config = &vm->dom.node->config;

	if (config->store)
		config->store->remove(config->store_opaque, kind, vm->dom.uuid_text, task);
	else
		task_end(task, NULL);
}

void vm_keep_config(struct vm *vm, struct task *task)
{
	g_autofree char *xml = NULL, *text = NULL;

	/* Without a store the text, of some kilobytes, is not needed. */
	if (!vm->dom.node->config.store) {
		task_end(task, NULL);
		return;
	}
	xml = domain_format(vm->dom.config, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE);
	text = g_strdup_printf("%ssocle domain\nautostart %s\n%s%s", keep_head_start,
			       vm->autostart ? "yes" : "no", keep_head_end, xml);
	save(vm, STORE_DOMAIN, text, task);
}

void vm_keep_no_config(struct vm *vm, struct task *task)
{
	forget(vm, STORE_DOMAIN, task);
}

void vm_keep_snapshots(struct vm *vm, struct task *task)
{
	g_autofree char *list = NULL, *text = NULL;

	if (!snapshots_any(vm) || !vm->dom.node->config.store) {
		forget(vm, STORE_SNAPSHOTS, task);
		return;
	}
	list = snapshots_format(vm);
	text = g_strdup_printf("%ssocle snapshots\n%s%s", keep_head_start, keep_head_end, list);
	save(vm, STORE_SNAPSHOTS, text, task);
}

/*
 * == The file of an active machine: the last state wins, one write at a time ==
 *
 * Who wants to know stands in status_next until a write begins that has what he means, then in
 * status_told. What could not be written is tried again: the machine is as it is.
 */

/* Is there a domain of its UUID that runs by now? Then the file is that one's. */
static bool is_followed(const struct vm *vm)
{
	const struct vm *other = vm_by_uuid(vm->dom.node, vm->dom.uuid);

	return other && other != vm && vm_active(other);
}

static void write_status(struct vm *vm)
{
	struct machine *machine = vm->dom.machine;
	g_autofree char *state = NULL, *xml = NULL, *text = NULL;

	vm->status_told = g_steal_pointer(&vm->status_next);
	if (is_followed(vm)) {
		task_end(&vm->status_task, NULL);
		return;
	}
	if (!vm_active(vm) || !machine) {
		forget(vm, STORE_STATUS, &vm->status_task);
		return;
	}
	state = machine->ops->state ? machine->ops->state(machine) : g_strdup("");
	xml = domain_format(vm->dom.live, DOMAIN_FORMAT_SECURE);
	text = g_strdup_printf("%ssocle status\nid %d\nstate %d\nreason %d\npersistent %s\n"
			       "machine %s\n%s%s",
			       keep_head_start, vm->dom.id, (int)vm->dom.state, vm->dom.reason,
			       vm->dom.config ? "yes" : "no", state, keep_head_end, xml);
	save(vm, STORE_STATUS, text, &vm->status_task);
}

static gboolean on_status_again(gpointer opaque)
{
	struct vm *vm = opaque;

	timer_stop(&vm->status_timer);
	vm_keep_status(vm);
	return G_SOURCE_REMOVE;
}

static void status_failed(struct vm *vm, const GError *error)
{
	if (!vm->status_failing)
		g_warning("domain '%s': its state cannot be kept for now, which is tried again: %s",
			  vm->dom.name, error->message);
	vm->status_failing = true;
	timer_stop(&vm->status_timer);
	vm->status_timer = timer_start(STATUS_AGAIN_MS, on_status_again, vm);
}

static void status_written(struct task *task, const GError *error)
{
	struct vm *vm = container_of(task, struct vm, status_task);
	g_autoptr(GPtrArray) told = g_steal_pointer(&vm->status_told);
	const bool again = vm->status_again;

	vm->status_again = false;
	if (error && !again)
		status_failed(vm, error);
	else if (!error)
		vm->status_failing = false;
	if (again)
		write_status(vm);
	else
		vm->status_busy = false;
	for (unsigned i = 0; told && i < told->len; i++)
		task_end(told->pdata[i], error);
	if (!again)
		vm_unref(vm);
}

void vm_keep_status(struct vm *vm)
{
	if (!vm->dom.node->config.store)
		return;
	if (vm->status_busy) {
		vm->status_again = true;
		return;
	}
	vm->status_busy = true;
	vm_ref(vm);
	vm->status_task.end = status_written;
	write_status(vm);
}

void vm_keep_status_for(struct vm *vm, struct task *task)
{
	if (!vm->dom.node->config.store) {
		task_end(task, NULL);
		return;
	}
	if (!vm->status_next)
		vm->status_next = g_ptr_array_new();
	g_ptr_array_add(vm->status_next, task);
	vm_keep_status(vm);
}

/* == What was kept == */

char *keep_head_value(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *end = strstr(text, keep_head_end);

	for (const char *line = text; line && line < end; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (line < end && !strncmp(line, key, len) && line[len] == ' ') {
			const char *value = line + len + 1;

			return g_strndup(value, strcspn(value, "\n"));
		}
	}
	return NULL;
}

const char *keep_check_head(const char *text, const char *kind, GError **error)
{
	g_autofree char *found = NULL;
	const char *end = strstr(text, keep_head_end);

	if (!strncmp(text, keep_head_start, strlen(keep_head_start)) && end)
		found = keep_head_value(text, "socle");
	if (!found || strcmp(found, kind) != 0) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "it does not begin with a comment that says 'socle %s'", kind);
		return NULL;
	}
	return end + strlen(keep_head_end);
}

static long head_number(const char *text, const char *key)
{
	g_autofree char *value = keep_head_value(text, key);

	return value ? strtol(value, NULL, 10) : 0;
}

bool keep_head_yes(const char *text, const char *key)
{
	g_autofree char *value = keep_head_value(text, key);

	return value && !strcmp(value, "yes");
}

static struct domain *load_xml(struct node *node, const char *key, const char *xml, bool running,
			       GError **error)
{
	autoptr(domain) domain = domain_parse(xml, strlen(xml), DOMAIN_PARSE_KEPT, NULL, error);

	if (!domain)
		return NULL;
	if (running)
		domain_fill_running(domain, &node->config.support);
	else
		domain_fill(domain, &node->config.support);
	if (!domain->name || !g_uuid_string_is_valid(domain->uuid) ||
	    g_ascii_strcasecmp(domain->uuid, key) != 0) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "its <uuid> is not the one that it is kept under");
		return NULL;
	}
	return g_steal_pointer(&domain);
}

static bool load_domain(struct node *node, const char *key, const char *text, GError **error)
{
	const char *xml = keep_check_head(text, "domain", error);
	autoptr(domain) domain = xml ? load_xml(node, key, xml, false, error) : NULL;
	struct vm *vm;

	if (!domain)
		return false;
	if (vm_by_name(node, domain->name))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "there is a domain '%s' already; give one of them another name",
				 domain->name);
	vm = vm_new(node, g_steal_pointer(&domain), NULL);
	vm->autostart = keep_head_yes(text, "autostart");
	return true;
}

static bool load_status(struct node *node, const char *key, const char *text, GError **error)
{
	const char *xml = keep_check_head(text, "status", error);
	autoptr(domain) domain = xml ? load_xml(node, key, xml, true, error) : NULL;
	struct vm *vm;

	if (!domain)
		return false;
	vm = vm_by_uuid_text(node, key);
	if (!vm && vm_by_name(node, domain->name))
		return error_set(error, SOCLE_ERROR_EXISTS, "there is another domain '%s'",
				 domain->name);
	if (!vm)
		vm = vm_new(node, NULL, g_steal_pointer(&domain));
	else
		vm->dom.live = g_steal_pointer(&domain);
	vm_set_active(vm, (int)CLAMP(head_number(text, "id"), 1, INT_MAX / 2));
	vm_set_state(vm,
		     (enum dom_state)CLAMP(head_number(text, "state"), DOM_RUNNING, DOM_CRASHED),
		     (int)head_number(text, "reason"));
	vm->found_state = keep_head_value(text, "machine");
	return true;
}

static bool load_snapshots(struct node *node, const char *key, const char *text, GError **error)
{
	const char *list = keep_check_head(text, "snapshots", error);
	struct vm *vm = vm_by_uuid_text(node, key);

	if (!list)
		return false;
	if (!vm)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "its domain is not there any more");
	return snapshots_parse(vm, list, error);
}

bool node_load(struct node *node, enum store_kind kind, const char *key, const char *text,
	       GError **error)
{
	switch (kind) {
	case STORE_DOMAIN:
		return load_domain(node, key, text, error);
	case STORE_STATUS:
		return load_status(node, key, text, error);
	case STORE_SNAPSHOTS:
		return load_snapshots(node, key, text, error);
	case STORE_NETWORK:
		return net_load(node, key, text, error);
	case STORE_NETWORK_STATUS:
		return net_load_status(node, key, text, error);
	case STORE_POOL:
	case STORE_POOL_STATUS:
		return pool_load(node, kind, key, text, error);
	case STORE_SECRET:
	case STORE_SECRET_VALUE:
		return secret_load(node, kind, key, text, error);
	case STORE_KIND_COUNT:
	default:
		return error_set(error, SOCLE_ERROR_UNSUPPORTED, "nothing of this kind is kept");
	}
}
