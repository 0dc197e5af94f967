/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clients.c - all clients of the daemon: who they are, what they may, and how many there can be
 *
 * A client is anonymous until it has asked for machines (CONNECT_OPEN). It has a minute for that, of
 * which TLS's handshake may take a part.
 */
#include "daemon/clients.h"

#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/conn.h"
#include "daemon/identity.h"
#include "daemon/policy.h"
#include "daemon/polkit.h"
#include "daemon/tls.h"

enum {
	ANONYMOUS_MS = 60000,
	HANDSHAKE_MS = 15000,
	/* Of all clients; whoever has most is given up then. */
	TOTAL_MAX = 256 * 1024 * 1024,
	/* Lines about clients, in a minute. */
	LINES_MAX = 60,
};

struct clients {
	struct clients_config config;
	struct server *server;
	struct policy *policy;
	GQueue all; /* of struct client, oldest first */
	unsigned anonymous;
	GHashTable *origins; /* text to GUINT_TO_POINTER(how many) */
	GHashTable *by_peer;
	size_t total; /* bytes that wait */
	gint64 minute;
	unsigned lines;
	bool ending;
};

struct client {
	struct clients *clients;
	GList link;
	struct conn *conn;
	struct peer *peer;
	struct identity identity;
	struct clients_door door;
	struct polkit_ask *ask;
	GError *denied; /* why it may do nothing, or NULL */
	enum policy_access access;
	bool anonymous;
};

/* A hostile client is not to fill the log. */
static void G_GNUC_PRINTF(2, 3) tell(struct clients *clients, const char *fmt, ...)
{
	gint64 minute = g_get_monotonic_time() / (60L * G_USEC_PER_SEC);
	g_autofree char *text = NULL;
	va_list ap;

	if (minute != clients->minute)
		clients->lines = 0;
	clients->minute = minute;
	if (++clients->lines > LINES_MAX)
		return;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	log_info("%s%s", text,
		 clients->lines == LINES_MAX ? " (more of this minute is not told)" : "");
}

static unsigned origin_count(const struct clients *clients, const char *origin)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(clients->origins, origin));
}

static void origin_add(struct clients *clients, const char *origin, int by)
{
	unsigned count = origin_count(clients, origin) + (unsigned)by;

	if (count)
		g_hash_table_replace(clients->origins, g_strdup(origin), GUINT_TO_POINTER(count));
	else
		g_hash_table_remove(clients->origins, origin);
}

static void set_anonymous(struct client *client, bool anonymous)
{
	if (client->anonymous != anonymous)
		client->clients->anonymous += anonymous ? 1 : -1u;
	client->anonymous = anonymous;
}

static void client_free(struct client *client)
{
	struct clients *clients = client->clients;

	g_queue_unlink(&clients->all, &client->link);
	origin_add(clients, client->identity.origin, -1);
	set_anonymous(client, false);
	if (client->peer)
		g_hash_table_remove(clients->by_peer, client->peer);
	polkit_ask_free(client->ask);
	conn_free(client->conn);
	identity_release(&client->identity);
	g_clear_error(&client->denied);
	g_free(client);
	if (!clients->ending)
		clients->config.changed(clients->config.opaque);
}

/* == What a connection tells == */

static void on_gone(void *opaque, const char *why)
{
	struct client *client = opaque;

	if (why)
		tell(client->clients, "client %s: %s; its connection was closed",
		     client->identity.who, why);
	client_free(client);
}

static void on_crowded(void *opaque)
{
	struct client *client = opaque;
	struct client *most = client;

	for (GList *at = client->clients->all.head; at; at = at->next) {
		struct client *other = at->data;

		if (conn_queued(other->conn) > conn_queued(most->conn))
			most = other;
	}
	conn_drop(most->conn,
		  "clients do not take what they have asked for, and it has most of that");
}

static void serve(struct client *client)
{
	struct clients *clients = client->clients;
	struct peer_config config = {
		.read_only = client->access != POLICY_WRITE,
		.secure = client->door.local || client->door.tls,
		.local = client->door.local,
		.who = client->identity.who,
		.uid = client->identity.local ? client->identity.uid : (unsigned)-1,
	};

	client->peer = conn_serve(client->conn, clients->server, &config);
	g_hash_table_insert(clients->by_peer, client->peer, client);
	conn_set_deadline(client->conn,
			  clients->config.anonymous_ms ? clients->config.anonymous_ms
						       : ANONYMOUS_MS,
			  "it has not said what it wants");
}

static void on_polkit(void *opaque, const GError *error)
{
	struct client *client = opaque;

	if (error) {
		client->denied = g_error_copy(error);
		client->access = POLICY_NONE;
	}
	serve(client);
}

/* Who it is is known: what may it do? */
static void decide(struct client *client)
{
	struct clients *clients = client->clients;
	const struct identity *identity = &client->identity;
	struct policy_who who = {
		.local = identity->local,
		.uid = identity->uid,
		.groups = identity->groups,
		.group_count = identity->group_count,
		.dn = conn_dn(client->conn),
	};
	bool polkit =
		client->door.read_only ? clients->config.polkit_ro : clients->config.polkit_rw;
	uid_t only = clients->config.only_uid;

	client->access = policy_decide(clients->policy, &who,
				       client->door.read_only ? POLICY_READ : POLICY_WRITE);
	if (only != (uid_t)-1 && identity->local && identity->uid != only && identity->uid != 0) {
		client->access = POLICY_NONE;
		error_set(&client->denied, SOCLE_ERROR_DENIED,
			  "this is the session of uid %u; use your own, or qemu:///system",
			  (unsigned)only);
	} else if (client->access == POLICY_NONE) {
		error_set(&client->denied, SOCLE_ERROR_DENIED,
			  "the policy of this host does not let %s in; ask its administrator for a "
			  "rule",
			  who.dn ? who.dn : identity->origin);
	}
	if (polkit && identity->local && identity->uid != 0 && client->access != POLICY_NONE) {
		client->ask = polkit_ask_new(
			identity->pid, identity->uid,
			client->door.read_only ? POLKIT_MONITOR : POLKIT_MANAGE, on_polkit, client);
		conn_set_deadline(client->conn, 0, NULL);
		return;
	}
	serve(client);
}

static void on_ready(void *opaque)
{
	struct client *client = opaque;
	g_autofree char *was = client->identity.who;

	client->identity.who = g_strdup_printf("'%s', %s", conn_dn(client->conn), was);
	decide(client);
}

/* == Limits == */

/* More than half are one user's only if there is nobody to be kept out by him. */
static bool too_many(const struct clients *clients, const struct identity *identity)
{
	bool ours = identity->local && (identity->uid == 0 || identity->uid == geteuid());
	unsigned max = clients->config.max_clients;

	return clients->all.length >= max ||
	       (!ours && origin_count(clients, identity->origin) >= MAX(max / 2, 1));
}

/* Of the origin that has the most of them, the oldest. */
static void drop_anonymous(struct clients *clients)
{
	g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
	const char *worst = NULL;
	unsigned most = 0;

	for (GList *at = clients->all.head; at; at = at->next) {
		struct client *client = at->data;
		unsigned count;

		if (!client->anonymous)
			continue;
		count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, client->identity.origin)) + 1;
		g_hash_table_insert(counts, client->identity.origin, GUINT_TO_POINTER(count));
		if (count > most) {
			most = count;
			worst = client->identity.origin;
		}
	}
	for (GList *at = clients->all.head; at; at = at->next) {
		struct client *client = at->data;

		if (!client->anonymous || g_strcmp0(client->identity.origin, worst))
			continue;
		set_anonymous(client, false);
		conn_drop(client->conn, "too many clients have not said what they want");
		return;
	}
}

/* == Coming, asking, going == */

void clients_add(struct clients *clients, int fd, const struct clients_door *door)
{
	struct client *client = g_new(struct client, 1);
	g_autoptr(GError) error = NULL;
	struct tls_session *session = NULL;
	struct conn_owner owner = {
		.ready = on_ready,
		.gone = on_gone,
		.crowded = on_crowded,
		.total = &clients->total,
		.total_max = TOTAL_MAX,
		.opaque = client,
	};
	bool ok;

	*client = (struct client){ .clients = clients, .door = *door };
	client->link.data = client;
	ok = identity_init(&client->identity, fd, door->local, &error);
	if (ok && too_many(clients, &client->identity))
		ok = error_set(&error, SOCLE_ERROR_LIMIT, "there are too many (--max-clients)");
	if (ok && door->tls) {
		session = tls_session_new(door->tls, fd, &error);
		ok = session != NULL;
	}
	if (!ok) {
		tell(clients, "client %s is refused: %s",
		     client->identity.who ? client->identity.who : "without a name",
		     error->message);
		identity_release(&client->identity);
		g_free(client);
		fd_autoclose(&fd);
		return;
	}
	g_queue_push_tail_link(&clients->all, &client->link);
	origin_add(clients, client->identity.origin, 1);
	client->conn = conn_new(fd, session, &owner);
	set_anonymous(client, true);
	if (clients->anonymous > clients->config.max_anonymous)
		drop_anonymous(clients);
	if (door->tls)
		conn_set_deadline(client->conn, HANDSHAKE_MS, "its TLS handshake takes too long");
	else
		decide(client);
	clients->config.changed(clients->config.opaque);
}

static struct node *on_open(void *opaque, const char *uri, const struct peer *peer, GError **error)
{
	struct clients *clients = opaque;
	struct client *client = g_hash_table_lookup(clients->by_peer, peer);
	struct node *node;

	/* A peer is served before it is known here only while it is made. */
	g_assert(client);
	if (client->denied) {
		g_propagate_error(error, g_error_copy(client->denied));
		return NULL;
	}
	node = clients->config.open(clients->config.opaque, uri, error);
	if (node) {
		set_anonymous(client, false);
		conn_set_deadline(client->conn, 0, NULL);
	}
	return node;
}

struct clients *clients_new(const struct clients_config *config)
{
	struct clients *clients = g_new(struct clients, 1);
	struct server_config server = {
		.open = on_open,
		.opaque = clients,
		.keepalive_interval = config->keepalive_interval_s,
		.keepalive_count = config->keepalive_count,
	};

	*clients = (struct clients){
		.config = *config,
		.server = server_new(&server),
		.origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.by_peer = g_hash_table_new(NULL, NULL),
	};
	g_queue_init(&clients->all);
	return clients;
}

static gboolean on_patience(void *opaque)
{
	*(bool *)opaque = true;
	return G_SOURCE_CONTINUE;
}

void clients_free(struct clients *clients, unsigned patience_ms)
{
	GMainContext *context = g_main_context_get_thread_default();
	GSource *timer = g_timeout_source_new(patience_ms);
	bool late = patience_ms == 0;

	if (!clients) {
		g_source_unref(timer);
		return;
	}
	clients->ending = true;
	g_clear_pointer(&clients->server, server_free);
	g_source_set_callback(timer, on_patience, &late, NULL);
	g_source_attach(timer, context);
	for (GList *at = clients->all.head; at; at = at->next) {
		struct client *client = at->data;

		g_clear_pointer(&client->ask, polkit_ask_free);
		conn_leave(client->conn);
	}
	while (clients->all.length && !late)
		g_main_context_iteration(context, TRUE);
	g_source_destroy(timer);
	g_source_unref(timer);
	while (clients->all.head)
		client_free(clients->all.head->data);
	g_hash_table_unref(clients->origins);
	g_hash_table_unref(clients->by_peer);
	policy_free(clients->policy);
	g_free(clients);
}

void clients_set_policy(struct clients *clients, struct policy *policy)
{
	policy_free(clients->policy);
	clients->policy = policy;
}

unsigned clients_count(const struct clients *clients)
{
	return clients->all.length;
}
