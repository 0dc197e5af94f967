/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * object.c - networks, pools, volumes and secrets: which one a word means, and verbs that go over many
 */
#include "cli/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const struct name_kind network_words = { "network", "networks", "socle net list" };
static const struct name_kind pool_words = { "pool", "pools", "socle pool list" };
static const struct name_kind volume_words = { "volume", "volumes", "socle vol list" };
static const struct name_kind secret_words = { "secret", "secrets", "socle secret list" };

/* All of a kind that such flags name, for g_ptr_array_unref(); NULL with an error. */
static GPtrArray *list_all(struct cli *cli, const struct object_kind *kind, unsigned flags,
			   GError **error)
{
	struct socle_error *why = NULL;
	void **all = NULL;
	int count = kind->list(cli->conn, flags, &all, &why);
	GPtrArray *list;

	if (count < 0) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	list = g_ptr_array_new_full((guint)count, kind->unref);
	for (int i = 0; i < count; i++)
		g_ptr_array_add(list, all[i]);
	free(all);
	return list;
}

GHashTable *cli_uuids(struct cli *cli, const struct object_kind *kind, unsigned flags,
		      GError **error)
{
	g_autoptr(GPtrArray) all = list_all(cli, kind, flags, error);
	GHashTable *set;

	if (!all)
		return NULL;
	set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < all->len; i++)
		g_hash_table_add(set, g_strdup(kind->uuid(all->pdata[i])));
	return set;
}

/* Of some kinds several may be called the same. */
static bool is_only_one(const struct object_kind *kind, const GPtrArray *all, unsigned place,
			const char *word, GError **error)
{
	g_autofree char *shown = cli_plain(word);
	unsigned same = 0;

	if (strcmp(kind->name(all->pdata[place]), word) != 0)
		return true;
	for (unsigned i = 0; i < all->len; i++)
		same += !strcmp(kind->name(all->pdata[i]), word);
	return same == 1 ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "%u %s are called '%s'; give the UUID of one, as '%s' shows it", same,
			 kind->words->many, shown, kind->words->list);
}

/* The one that @word means, with a reference; NULL with an error. */
static void *search(struct cli *cli, const struct object_kind *kind, const char *word,
		    GError **error)
{
	g_autoptr(GPtrArray) all = list_all(cli, kind, 0, error);
	g_autofree struct named *names = g_new0(struct named, all ? all->len + 1 : 1);
	int place;

	for (unsigned i = 0; all && i < all->len; i++) {
		names[i] = (struct named){ .name = kind->name(all->pdata[i]), .id = -1 };
		g_strlcpy(names[i].uuid, kind->uuid(all->pdata[i]), sizeof(names[i].uuid));
	}
	place = all ? names_find(kind->words, names, all->len, word, cli->where, error) : -1;
	if (place < 0 || !is_only_one(kind, all, (unsigned)place, word, error))
		return NULL;
	return kind->ref(all->pdata[place]);
}

/* ---- networks ---- */

struct socle_network *cli_network(struct cli *cli, const char *word, GError **error)
{
	struct socle_network *net;
	struct socle_error *why = NULL;

	if (!cli_connect(cli, error))
		return NULL;
	net = socle_network_by_name(cli->conn, word, &why);
	if (net)
		return net;
	if (socle_error_code(why) != SOCLE_ERR_NO_NETWORK) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	socle_error_free(why);
	return search(cli, &object_network, word, error);
}

static void *find_network(struct cli *cli, const struct cli_args *args, const char *word,
			  GError **error)
{
	(void)args;
	return cli_network(cli, word, error);
}

static int list_networks(struct socle_conn *conn, unsigned flags, void ***ret_all,
			 struct socle_error **error)
{
	return socle_network_list(conn, flags, (struct socle_network ***)ret_all, error);
}

static void *ref_network(void *object)
{
	return socle_network_ref(object);
}

static void unref_network(void *object)
{
	socle_network_unref(object);
}

static const char *network_name(const void *object)
{
	return socle_network_name(object);
}

static const char *network_uuid(const void *object)
{
	return socle_network_uuid_text(object);
}

static char *network_xml(void *object, unsigned flags, struct socle_error **error)
{
	return socle_network_xml(object, flags, error);
}

static int network_set_autostart(void *object, bool on, struct socle_error **error)
{
	return socle_network_set_autostart(object, on, error);
}

static int network_undefine(void *object, struct socle_error **error)
{
	return socle_network_undefine(object, error);
}

const struct object_kind object_network = {
	.words = &network_words,
	.find = find_network,
	.list = list_networks,
	.ref = ref_network,
	.unref = unref_network,
	.name = network_name,
	.uuid = network_uuid,
	.key = network_uuid,
	.xml = network_xml,
	.inactive = SOCLE_NETWORK_XML_INACTIVE,
	.set_autostart = network_set_autostart,
	.undefine = network_undefine,
	.undefined = "is forgotten",
};

/* ---- pools ---- */

struct socle_pool *cli_pool(struct cli *cli, const char *word, GError **error)
{
	struct socle_pool *pool;
	struct socle_error *why = NULL;

	if (!cli_connect(cli, error))
		return NULL;
	pool = socle_pool_by_name(cli->conn, word, &why);
	if (pool)
		return pool;
	if (socle_error_code(why) != SOCLE_ERR_NO_STORAGE_POOL) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	socle_error_free(why);
	return search(cli, &object_pool, word, error);
}

static void *find_pool(struct cli *cli, const struct cli_args *args, const char *word,
		       GError **error)
{
	(void)args;
	return cli_pool(cli, word, error);
}

static int list_pools(struct socle_conn *conn, unsigned flags, void ***ret_all,
		      struct socle_error **error)
{
	return socle_pool_list(conn, flags, (struct socle_pool ***)ret_all, error);
}

static void *ref_pool(void *object)
{
	return socle_pool_ref(object);
}

static void unref_pool(void *object)
{
	socle_pool_unref(object);
}

static const char *pool_name(const void *object)
{
	return socle_pool_name(object);
}

static const char *pool_uuid(const void *object)
{
	return socle_pool_uuid_text(object);
}

static char *pool_xml(void *object, unsigned flags, struct socle_error **error)
{
	return socle_pool_xml(object, flags, error);
}

static int pool_set_autostart(void *object, bool on, struct socle_error **error)
{
	return socle_pool_set_autostart(object, on, error);
}

static int pool_undefine(void *object, struct socle_error **error)
{
	return socle_pool_undefine(object, error);
}

const struct object_kind object_pool = {
	.words = &pool_words,
	.find = find_pool,
	.list = list_pools,
	.ref = ref_pool,
	.unref = unref_pool,
	.name = pool_name,
	.uuid = pool_uuid,
	.key = pool_uuid,
	.xml = pool_xml,
	.inactive = SOCLE_POOL_XML_INACTIVE,
	.set_autostart = pool_set_autostart,
	.undefine = pool_undefine,
	.undefined = "is forgotten; its volumes stay",
};

/* ---- volumes ---- */

/* By its whole name in a pool, which is kept for others; the error of a wrong name says what there is. */
static struct socle_volume *in_pool(struct cli *cli, const char *pool_name, const char *volume,
				    struct socle_pool **ret_pool, GError **error)
{
	SOCLE_AUTO(pool) pool = cli_pool(cli, pool_name, error);
	g_autofree char *shown = cli_plain(volume), *pool_shown = NULL;
	struct socle_error *why = NULL;
	struct socle_volume *vol;

	if (!pool)
		return NULL;
	vol = socle_volume_by_name(pool, volume, &why);
	if (vol && ret_pool)
		*ret_pool = g_steal_pointer(&pool);
	if (vol)
		return vol;
	if (socle_error_code(why) != SOCLE_ERR_NO_STORAGE_VOL) {
		cli_fail(error, why, "pool '%s'", pool_name);
		return NULL;
	}
	socle_error_free(why);
	pool_shown = cli_plain(socle_pool_name(pool));
	error_set(error, SOCLE_ERROR_NOT_FOUND,
		  "no volume '%s' in pool '%s'; 'socle vol list %s' shows which there are", shown,
		  pool_shown, pool_shown);
	return NULL;
}

/* virsh asks for the key first, too; a server that has none of it says so. */
static struct socle_volume *by_place(struct cli *cli, const char *word, GError **error)
{
	struct socle_volume *vol = socle_volume_by_key(cli->conn, word, NULL);
	g_autofree char *shown = cli_plain(word);
	struct socle_error *why = NULL;

	if (!vol)
		vol = socle_volume_by_path(cli->conn, word, &why);
	if (vol)
		return vol;
	if (socle_error_code(why) != SOCLE_ERR_NO_STORAGE_VOL) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	socle_error_free(why);
	error_set(error, SOCLE_ERROR_NOT_FOUND,
		  "no volume has the path or key '%s'; 'socle vol list' shows which there are",
		  shown);
	return NULL;
}

/* In all pools that are active: those that have such a name. */
static struct socle_volume *search_volume(struct cli *cli, const char *name, GError **error)
{
	g_autofree char *shown = cli_plain(name);
	struct socle_pool **pools = NULL;
	struct socle_volume *found = NULL;
	struct socle_error *why = NULL;
	unsigned same = 0;

	if (socle_pool_list(cli->conn, SOCLE_POOL_LIST_ACTIVE, &pools, &why) < 0) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	for (unsigned i = 0; pools[i]; i++) {
		struct socle_volume *vol = socle_volume_by_name(pools[i], name, NULL);

		same += vol != NULL;
		if (!found)
			found = vol;
		else
			socle_volume_unref(vol);
	}
	socle_pools_free(pools);
	if (same > 1) {
		g_clear_pointer(&found, socle_volume_unref);
		error_set(error, SOCLE_ERROR_USAGE, "%u pools have a volume '%s'; say POOL/%s",
			  same, shown, shown);
	} else if (!same) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "no volume '%s' in a pool that is active; 'socle vol list' shows which "
			  "there are",
			  shown);
	}
	return found;
}

struct socle_volume *cli_volume_in(struct cli *cli, const struct cli_args *args, const char *word,
				   struct socle_pool **ret_pool, GError **error)
{
	const char *pool = args ? cli_args_value(args, "pool") : NULL;
	const char *slash = strchr(word, '/');
	g_autofree char *before = NULL;

	if (!cli_connect(cli, error))
		return NULL;
	if (slash == word)
		return by_place(cli, word, error);
	if (pool)
		return in_pool(cli, pool, word, ret_pool, error);
	if (!slash)
		return search_volume(cli, word, error);
	before = g_strndup(word, (gsize)(slash - word));
	return in_pool(cli, before, slash + 1, ret_pool, error);
}

struct socle_volume *cli_volume(struct cli *cli, const struct cli_args *args, const char *word,
				GError **error)
{
	return cli_volume_in(cli, args, word, NULL, error);
}

static void *find_volume(struct cli *cli, const struct cli_args *args, const char *word,
			 GError **error)
{
	return cli_volume(cli, args, word, error);
}

static void unref_volume(void *object)
{
	socle_volume_unref(object);
}

static const char *volume_name(const void *object)
{
	return socle_volume_name(object);
}

static const char *volume_key(const void *object)
{
	return socle_volume_key(object);
}

static char *volume_xml(void *object, unsigned flags, struct socle_error **error)
{
	return socle_volume_xml(object, flags, error);
}

const struct object_kind object_volume = {
	.words = &volume_words,
	.find = find_volume,
	.unref = unref_volume,
	.name = volume_name,
	.key = volume_key,
	.xml = volume_xml,
};

/* ---- secrets ---- */

const char *cli_secret_name(const struct socle_secret *secret)
{
	const char *id = socle_secret_usage_id(secret);

	return *id ? id : socle_secret_uuid_text(secret);
}

struct socle_secret *cli_secret(struct cli *cli, const char *word, GError **error)
{
	return cli_connect(cli, error) ? search(cli, &object_secret, word, error) : NULL;
}

static void *find_secret(struct cli *cli, const struct cli_args *args, const char *word,
			 GError **error)
{
	(void)args;
	return cli_secret(cli, word, error);
}

static int list_secrets(struct socle_conn *conn, unsigned flags, void ***ret_all,
			struct socle_error **error)
{
	return socle_secret_list(conn, flags, (struct socle_secret ***)ret_all, error);
}

static void *ref_secret(void *object)
{
	return socle_secret_ref(object);
}

static void unref_secret(void *object)
{
	socle_secret_unref(object);
}

static const char *secret_name(const void *object)
{
	return cli_secret_name(object);
}

static const char *secret_uuid(const void *object)
{
	return socle_secret_uuid_text(object);
}

static char *secret_xml(void *object, unsigned flags, struct socle_error **error)
{
	return socle_secret_xml(object, flags, error);
}

const struct object_kind object_secret = {
	.words = &secret_words,
	.find = find_secret,
	.list = list_secrets,
	.ref = ref_secret,
	.unref = unref_secret,
	.name = secret_name,
	.uuid = secret_uuid,
	.key = secret_uuid,
	.xml = secret_xml,
};

/* ---- verbs ---- */

static json_t *action_json(const struct object_kind *kind, const void *object, const char *action,
			   const GError *error)
{
	json_t *json = json_object();

	json_object_set_new(json, kind->words->one, cli_json_string(kind->name(object)));
	if (kind->uuid)
		json_object_set_new(json, "uuid", json_string(kind->uuid(object)));
	json_object_set_new(json, "action", json_string(action));
	json_object_set_new(json, "ok", json_boolean(!error));
	if (error)
		json_object_set_new(json, "error", cli_json_string(error->message));
	return json;
}

void cli_done_object(const struct cli *cli, const struct object_kind *kind, const void *object,
		     const char *action, const char *done)
{
	g_autofree char *name = cli_plain(kind->name(object));

	if (cli->output == OUTPUT_JSON) {
		json_t *list = json_array();

		json_array_append_new(list, action_json(kind, object, action, NULL));
		cli_out_json(list);
	} else if (cli->output == OUTPUT_NAME) {
		cli_out_name(name);
	} else {
		cli_done(cli, "%s '%s' %s", kind->words->one, name, done);
	}
}

/* All that the words mean, each once: a word that means none ends it before anything is done. */
static GPtrArray *find_all(struct cli *cli, const struct cli_args *args,
			   const struct object_kind *kind, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(kind->unref);
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned n = 0; n < cli_args_words(args); n++) {
		void *object = kind->find(cli, args, cli_args_word(args, n), error);

		if (!object)
			return NULL;
		/* Several words may mean the same. */
		if (g_hash_table_add(known, (void *)(uintptr_t)kind->key(object)))
			g_ptr_array_add(all, object);
		else
			kind->unref(object);
	}
	return g_steal_pointer(&all);
}

int cli_each_object(struct cli *cli, const struct cli_args *args, const struct object_kind *kind,
		    const char *action, const char *done, object_act *act, GError **error)
{
	g_autoptr(GPtrArray) all = find_all(cli, args, kind, error);
	json_t *list;
	int status = CLI_OK;

	if (!all)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < all->len; i++) {
		void *object = g_ptr_array_index(all, i);
		g_autoptr(GError) why = NULL;
		g_autofree char *name = cli_plain(kind->name(object));
		bool ok = act(cli, args, object, &why);

		json_array_append_new(list, action_json(kind, object, action, why));
		if (ok && cli->output == OUTPUT_NAME) {
			cli_out_name(name);
		} else if (ok) {
			cli_done(cli, "%s '%s' %s", kind->words->one, name, done);
		} else {
			cli_warn("%s", why->message);
			status = status == CLI_OK ? (int)cli_status_of(why) : status;
		}
	}
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	json_decref(list);
	return status;
}

/* Of what the first word of a command means. */
static const struct object_kind *kind_of(const struct cli_args *args)
{
	enum cli_what what = cli_args_command(args)->what[0];

	return what == CLI_NETWORK  ? &object_network
	       : what == CLI_POOL   ? &object_pool
	       : what == CLI_SECRET ? &object_secret
				    : &object_volume;
}

int cli_object_xml(struct cli *cli, const struct cli_args *args, GError **error)
{
	const struct object_kind *kind = kind_of(args);
	void *object = kind->find(cli, args, cli_args_word(args, 0), error);
	bool inactive = kind->inactive && cli_args_has(args, "inactive");
	struct socle_error *why = NULL;
	char *xml;

	if (!object)
		return CLI_FAILED;
	xml = kind->xml(object, inactive ? kind->inactive : 0, &why);
	if (!xml) {
		cli_fail(error, why, "%s '%s'", kind->words->one, cli_args_word(args, 0));
	} else if (cli->output == OUTPUT_JSON) {
		cli_out_json(json_pack("{s:o, s:o}", "name", cli_json_string(kind->name(object)),
				       "xml", cli_json_string(xml)));
	} else {
		cli_out_text(xml);
	}
	kind->unref(object);
	free(xml);
	return xml ? CLI_OK : CLI_FAILED;
}

int cli_object_name(struct cli *cli, const struct cli_args *args, GError **error)
{
	const struct object_kind *kind = kind_of(args);
	void *object = kind->find(cli, args, cli_args_word(args, 0), error);

	if (!object)
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", "name", cli_json_string(kind->name(object))));
	else
		cli_out_name(kind->name(object));
	kind->unref(object);
	return CLI_OK;
}

int cli_object_uuid(struct cli *cli, const struct cli_args *args, GError **error)
{
	const struct object_kind *kind = kind_of(args);
	void *object = kind->find(cli, args, cli_args_word(args, 0), error);

	assert(kind->uuid); /* volumes have no such command */
	if (!object)
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o, s:s}", "name", cli_json_string(kind->name(object)),
				       "uuid", kind->uuid(object)));
	else
		cli_out("%s\n", kind->uuid(object));
	kind->unref(object);
	return CLI_OK;
}

/* ---- verbs ---- */

static bool autostart(struct cli *cli, const struct cli_args *args, void *object, GError **error)
{
	const struct object_kind *kind = kind_of(args);
	struct socle_error *why = NULL;

	(void)cli;
	assert(kind->set_autostart);
	return kind->set_autostart(object, !cli_args_has(args, "disable"), &why) == 0 ||
	       cli_fail(error, why, "%s '%s'", kind->words->one, kind->name(object));
}

int cli_object_autostart(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, kind_of(args), "autostart",
			       cli_args_has(args, "disable")
				       ? "does not start with the host any more"
				       : "starts with the host",
			       autostart, error);
}

static bool undefine(struct cli *cli, const struct cli_args *args, void *object, GError **error)
{
	const struct object_kind *kind = kind_of(args);
	g_autofree char *name = cli_plain(kind->name(object));
	g_autofree char *question =
		g_strdup_printf("Forget the definition of %s '%s'?", kind->words->one, name);
	struct socle_error *why = NULL;

	assert(kind->undefine);
	if (!cli_confirm(cli, question, error))
		return false;
	return kind->undefine(object, &why) == 0 ||
	       cli_fail(error, why, "%s '%s'", kind->words->one, name);
}

int cli_object_undefine(struct cli *cli, const struct cli_args *args, GError **error)
{
	const struct object_kind *kind = kind_of(args);

	return cli_each_object(cli, args, kind, "undefine", kind->undefined, undefine, error);
}
