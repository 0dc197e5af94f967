/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots.c - the snapshots of a domain: their descriptions, in a tree
 */
#include "manage/snapshots-int.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scan.h"
#include "manage/vm-int.h"
#include "model/snapshot.h"

void snapshots_free(struct snapshots *snapshots)
{
	if (!snapshots)
		return;
	g_ptr_array_unref(snapshots->list);
	snapshot_free(snapshots->making);
	g_free(snapshots);
}

unsigned snapshots_count(const struct vm *vm)
{
	return vm->snapshots ? vm->snapshots->list->len : 0;
}

bool snapshots_any(const struct vm *vm)
{
	return snapshots_count(vm) || (vm->snapshots && vm->snapshots->making);
}

struct snapshots *snapshots_of(struct vm *vm)
{
	if (!vm->snapshots) {
		vm->snapshots = g_new0(struct snapshots, 1);
		vm->snapshots->list = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
	}
	return vm->snapshots;
}

struct snapshot *snapshots_find(const struct vm *vm, const char *name)
{
	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		struct snapshot *snapshot = vm->snapshots->list->pdata[i];

		if (!strcmp(snapshot->name, name))
			return snapshot;
	}
	return NULL;
}

bool snapshots_agree(const struct vm *vm, GError **error)
{
	const struct snapshot *half = vm->snapshots ? vm->snapshots->going_back : NULL;

	return !half ||
	       error_set(error, SOCLE_ERROR_STATE,
			 "its disks were on the way back to snapshot '%s', and not all of them may "
			 "have got there; revert it to that once more, or delete the snapshot to "
			 "take "
			 "the disks as they are",
			 half->name);
}

#define ON_THE_WAY "-going-back"

static const char being_made[] = "making";

static void format_one(GString *text, const char *word, const char *more,
		       const struct snapshot *snapshot)
{
	g_autofree char *xml = snapshot_format(snapshot, DOMAIN_FORMAT_SECURE);

	g_string_append_printf(text, "<!-- %s%s %zu -->\n%s", word, more, strlen(xml), xml);
}

/*
 * Each description stands behind a line that says how long it is, whether it is the current one, whether
 * disks are on their way to it, and whether it is only just being made.
 */
char *snapshots_format(const struct vm *vm)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		const struct snapshot *snapshot = vm->snapshots->list->pdata[i];

		format_one(text, snapshot == vm->snapshots->current ? "current" : "snapshot",
			   snapshot == vm->snapshots->going_back ? ON_THE_WAY : "", snapshot);
	}
	if (vm->snapshots && vm->snapshots->making)
		format_one(text, being_made, "", vm->snapshots->making);
	return g_string_free(text, FALSE);
}

static bool parse_one(struct vm *vm, const char **at, GError **error)
{
	g_autofree char *word = NULL;
	const char *p = *at;
	uint64_t len;
	struct snapshot *snapshot;

	if (!scan_text(&p, "<!-- ") || !scan_word(&p, &word) || !scan_text(&p, " ") ||
	    !scan_number(&p, strlen(p), &len) || !scan_text(&p, " -->\n") || len > strlen(p))
		return error_set(error, SOCLE_ERROR_CORRUPT, "it is cut off");
	snapshot = snapshot_parse(p, len, SNAPSHOT_PARSE_KEPT, NULL, error);
	if (!snapshot)
		return false;
	if (!snapshot->name || snapshots_find(vm, snapshot->name)) {
		snapshot_free(snapshot);
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "a snapshot has no name, or that of another one");
	}
	*at = p + len;
	if (!strcmp(word, being_made)) {
		snapshot_free(snapshots_of(vm)->making);
		vm->snapshots->making = snapshot;
		return true;
	}
	g_ptr_array_add(snapshots_of(vm)->list, snapshot);
	if (g_str_has_prefix(word, "current"))
		vm->snapshots->current = snapshot;
	if (g_str_has_suffix(word, ON_THE_WAY))
		vm->snapshots->going_back = snapshot;
	return true;
}

bool snapshots_parse(struct vm *vm, const char *text, GError **error)
{
	while (*text) {
		if (!parse_one(vm, &text, error))
			return false;
	}
	return true;
}

void snapshots_set_making(struct vm *vm, const struct snapshot *snapshot)
{
	struct snapshots *all = snapshots_of(vm);
	g_autofree char *xml = snapshot ? snapshot_format(snapshot, DOMAIN_FORMAT_SECURE) : NULL;

	snapshot_free(all->making);
	/* As the next daemon would have it. */
	all->making =
		xml ? snapshot_parse(xml, strlen(xml), SNAPSHOT_PARSE_KEPT, NULL, NULL) : NULL;
}

void snapshots_put_back(struct vm *vm, const char *text)
{
	snapshots_free(vm->snapshots);
	vm->snapshots = NULL;
	if (!snapshots_parse(vm, text, NULL))
		g_warning("domain '%s': its snapshots cannot be put back", vm->dom.name);
}
