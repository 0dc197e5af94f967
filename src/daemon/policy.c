/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.c - who may do what
 */
#include "daemon/policy.h"

#include <string.h>

#include "base/account.h"
#include "base/error.h"

struct rule {
	bool by_user, by_group;
	GArray *users;  /* of uid_t */
	GArray *groups; /* of gid_t */
	char *dn;       /* patterns, or NULL */
	enum policy_access access;
};

struct policy {
	GPtrArray *rules; /* of struct rule, in the order of the file */
};

static void rule_free(void *opaque)
{
	struct rule *rule = opaque;

	g_array_unref(rule->users);
	g_array_unref(rule->groups);
	g_free(rule->dn);
	g_free(rule);
}

/* A number stands for itself, whether there is such a user or not. */
static bool add_user(struct rule *rule, const char *name, GError **error)
{
	guint64 number;
	uid_t uid;

	if (g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL))
		uid = (uid_t)number;
	else if (!account_user(name, &uid, NULL))
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "there is no user '%s' on this host; give a name that exists, "
				 "or a number",
				 name);
	g_array_append_val(rule->users, uid);
	return true;
}

static bool add_group(struct rule *rule, const char *name, GError **error)
{
	guint64 number;
	gid_t gid;

	if (g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL))
		gid = (gid_t)number;
	else if (!account_group(name, &gid))
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "there is no group '%s' on this host; give a name that exists, "
				 "or a number",
				 name);
	g_array_append_val(rule->groups, gid);
	return true;
}

static bool add_each(struct rule *rule, const char *value,
		     bool (*add)(struct rule *rule, const char *name, GError **error),
		     GError **error)
{
	g_auto(GStrv) names = g_strsplit(value, ";", -1);
	unsigned added = 0;

	for (unsigned i = 0; names[i]; i++) {
		g_strstrip(names[i]);
		if (!names[i][0])
			continue;
		if (!add(rule, names[i], error))
			return false;
		added++;
	}
	if (!added)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "it is empty; leave it out, or name whom "
				 "it is about");
	return true;
}

static bool set_access(struct rule *rule, const char *value, GError **error)
{
	static const char *const words[] = {
		[POLICY_NONE] = "none",
		[POLICY_READ] = "read",
		[POLICY_WRITE] = "write",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(value, words[i])) {
			rule->access = (enum policy_access)i;
			return true;
		}
	}
	return error_set(error, SOCLE_ERROR_USAGE, "'%s' is none of none, read and write", value);
}

static bool set_key(struct rule *rule, const char *key, const char *value, GError **error)
{
	if (!strcmp(key, "access"))
		return set_access(rule, value, error);
	if (!strcmp(key, "user")) {
		rule->by_user = true;
		return add_each(rule, value, add_user, error);
	}
	if (!strcmp(key, "group")) {
		rule->by_group = true;
		return add_each(rule, value, add_group, error);
	}
	if (!strcmp(key, "dn") && *value) {
		g_free(rule->dn);
		rule->dn = g_strdup(value);
		return true;
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "a rule has no such key%s; there are user, group, dn and access",
			 *value ? "" : ", or it is empty");
}

static struct rule *rule_new(GKeyFile *file, const char *name, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(file, name, NULL, error);
	struct rule *rule = g_new(struct rule, 1);
	bool ok = keys != NULL, decided = false;

	*rule = (struct rule){
		.users = g_array_new(FALSE, FALSE, sizeof(uid_t)),
		.groups = g_array_new(FALSE, FALSE, sizeof(gid_t)),
	};
	for (unsigned i = 0; ok && keys[i]; i++) {
		g_autofree char *value = g_key_file_get_string(file, name, keys[i], error);

		decided |= !strcmp(keys[i], "access");
		ok = value && set_key(rule, keys[i], g_strstrip(value), error);
		if (!ok)
			g_prefix_error(error, "key '%s': ", keys[i]);
	}
	if (ok && !decided)
		ok = error_set(error, SOCLE_ERROR_USAGE,
			       "it does not say what is allowed; add access = none, read or write");
	if (!ok) {
		g_prefix_error(error, "rule [%s]: ", name);
		g_clear_pointer(&rule, rule_free);
	}
	return rule;
}

struct policy *policy_parse(const char *text, size_t len, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	autoptr(policy) policy = NULL;
	g_auto(GStrv) names = NULL;

	if (len && !g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, error))
		return NULL;
	policy = g_new(struct policy, 1);
	policy->rules = g_ptr_array_new_with_free_func(rule_free);
	names = g_key_file_get_groups(file, NULL);
	for (unsigned i = 0; names[i]; i++) {
		struct rule *rule = rule_new(file, names[i], error);

		if (!rule)
			return NULL;
		g_ptr_array_add(policy->rules, rule);
	}
	return g_steal_pointer(&policy);
}

struct policy *policy_load(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	struct policy *policy = NULL;
	size_t len;

	if (g_file_get_contents(path, &text, &len, error))
		policy = policy_parse(text, len, error);
	if (!policy)
		g_prefix_error(error, "policy '%s': ", path);
	return policy;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	g_ptr_array_unref(policy->rules);
	g_free(policy);
}

bool policy_dn_matches(const char *patterns, const char *dn)
{
	g_auto(GStrv) list = g_strsplit(patterns, ";", -1);

	for (unsigned i = 0; list[i]; i++) {
		g_strstrip(list[i]);
		if (list[i][0] && g_pattern_match_simple(list[i], dn))
			return true;
	}
	return false;
}

static bool user_fits(const struct rule *rule, const struct policy_who *who)
{
	if (!rule->by_user)
		return true;
	for (unsigned i = 0; who->local && i < rule->users->len; i++) {
		if (g_array_index(rule->users, uid_t, i) == who->uid)
			return true;
	}
	return false;
}

static bool group_fits(const struct rule *rule, const struct policy_who *who)
{
	if (!rule->by_group)
		return true;
	for (unsigned i = 0; who->local && i < rule->groups->len; i++) {
		for (unsigned j = 0; j < who->group_count; j++) {
			if (g_array_index(rule->groups, gid_t, i) == who->groups[j])
				return true;
		}
	}
	return false;
}

static bool dn_fits(const struct rule *rule, const struct policy_who *who)
{
	return !rule->dn || (who->dn && policy_dn_matches(rule->dn, who->dn));
}

enum policy_access policy_decide(const struct policy *policy, const struct policy_who *who,
				 enum policy_access most)
{
	for (unsigned i = 0; policy && i < policy->rules->len; i++) {
		const struct rule *rule = g_ptr_array_index(policy->rules, i);

		if (user_fits(rule, who) && group_fits(rule, who) && dn_fits(rule, who))
			return MIN(rule->access, most);
	}
	return most;
}
