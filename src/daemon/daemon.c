/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.c - socled: all its parts, in the order in which they start
 *
 *	1. folders, the lock of the state folder, signals
 *	2. policy and certificates: what is wrong there is told before anything is done
 *	3. the store, the node, what the store has; machines that run are found, others started if the
 *	   host has just been
 *	4. clients, and where they come from
 *
 * It ends the other way round. A machine does not notice either.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/session.h"
#include "base/sys.h"
#include "daemon/activation.h"
#include "daemon/boot.h"
#include "daemon/clients.h"
#include "daemon/config.h"
#include "daemon/folders.h"
#include "daemon/listen.h"
#include "daemon/lock.h"
#include "daemon/machines.h"
#include "daemon/networks.h"
#include "daemon/orphans.h"
#include "daemon/policy.h"
#include "daemon/pools.h"
#include "daemon/store.h"
#include "daemon/support.h"
#include "daemon/tls.h"
#include "host/facts.h"
#include "manage/node.h"

enum {
	FAREWELL_MS = 1000
};

struct daemon {
	const struct config *config;
	GMainLoop *loop;
	struct lock *lock;
	struct tls *tls;
	struct store *store;
	struct host_facts *facts;
	struct machines machines;
	struct networks networks;
	struct pools *pools;
	struct node *node, *test; /* the second one: for test:///default, once somebody has asked */
	struct clients *clients;
	struct listeners *listeners;
	GHashTable *known; /* processes of machines, while the store is loaded */
	guint idle;        /* the source that ends us */
	bool ending;
};

/* == Machines == */

static bool is_path(const char *path)
{
	static const char *const paths[] = { "", "/", "/system", "/session" };

	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!strcmp(path, paths[i]))
			return true;
	}
	return false;
}

/* SCHEME:///system?more: any scheme will do, since tools bring their own. */
static struct node *open_uri(void *opaque, const char *uri, GError **error)
{
	struct daemon *daemon = opaque;
	const char *colon = strstr(uri, "://");
	const char *path = colon ? colon + 3 + strcspn(colon + 3, "/?#") : uri;
	g_autofree char *plain = g_strndup(path, strcspn(path, "?#"));

	if (g_str_has_prefix(uri, "test:")) {
		if (strcmp(plain, "/default") != 0) {
			error_set(error, SOCLE_ERROR_UNSUPPORTED,
				  "the driver test has no machines at '%s'; use test:///default",
				  plain);
			return NULL;
		}
		if (!daemon->test)
			daemon->test = node_new_test();
		return daemon->test;
	}
	if (!is_path(plain)) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there are no machines at '%s'; use qemu:///system or qemu:///session",
			  uri);
		return NULL;
	}
	return daemon->node;
}

static bool load_one(void *opaque, enum store_kind kind, const char *key, const char *text,
		     GError **error)
{
	struct daemon *daemon = opaque;

	if (!node_load(daemon->node, kind, key, text, error))
		return false;
	if (kind == STORE_STATUS)
		orphans_know(daemon->known, text);
	return true;
}

static bool start_machines(struct daemon *daemon, GError **error)
{
	const struct config *config = daemon->config;
	g_autofree char *default_network = NULL;
	struct store_count count;
	struct node_config node = {
		.uri = config->session ? "qemu:///session" : "qemu:///system",
		.type = "QEMU",
		.machines = &vm_machine_ops,
		.machines_opaque = &daemon->machines.runner,
		/* Who cannot make a bridge has what a session has. */
		.networks =
			config->session || geteuid() != 0 ? &network_user_ops : &network_host_ops,
		.networks_opaque = &daemon->networks,
		.pools = &pools_ops,
		.store = &store_file_ops,
		.deadline_ms = config->deadline_s * 1000,
	};
	const char *uuid;
	bool booted;

	if (!machines_init(&daemon->machines, config, error))
		return false;
	networks_init(&daemon->networks, config);
	daemon->store = store_new(config->state, config->run, error);
	if (!daemon->store)
		return false;
	daemon->facts = host_facts_new("/");
	uuid = daemon->facts->uuid;
	daemon->pools = pools_new(&(struct pools_config){ .uid = daemon->machines.runner.uid,
							  .gid = daemon->machines.runner.gid,
							  .host = uuid ? g_str_hash(uuid) : 0 });
	node.pools_opaque = daemon->pools;
	booted = boot_is_new(config->run, daemon->facts->boot_id);
	node.store_opaque = daemon->store;
	node.facts = daemon->facts;
	support_init(&node.support, config);
	daemon->node = node_new(&node);
	daemon->known = g_hash_table_new(NULL, NULL);
	store_load(daemon->store, load_one, daemon, &count);
	orphans_end(daemon->known, daemon->machines.run_dir);
	g_hash_table_unref(daemon->known);
	if (store_is_new(daemon->store, STORE_NETWORK)) {
		default_network = networks_default();
		node_default_network(daemon->node, default_network, false);
	}
	node_loaded(daemon->node, booted);
	if (booted)
		boot_remember(config->run, daemon->facts->boot_id);
	log_info("%u definitions, %u storage pools, %u machines that run%s",
		 count.loaded[STORE_DOMAIN], count.loaded[STORE_POOL], count.loaded[STORE_STATUS],
		 booted ? "; the host has just started, so those with autostart are started" : "");
	return true;
}

/* == Clients == */

static gboolean on_idle(void *opaque)
{
	struct daemon *daemon = opaque;

	if (node_active(daemon->node) || (daemon->clients && clients_count(daemon->clients)))
		return G_SOURCE_CONTINUE;
	log_info("nobody has come for %u seconds, and no machine runs: this is the end",
		 daemon->config->timeout_s);
	daemon->ending = true;
	g_main_loop_quit(daemon->loop);
	return G_SOURCE_CONTINUE;
}

/* The time starts again with each client. */
static void on_changed(void *opaque)
{
	struct daemon *daemon = opaque;

	if (!daemon->config->timeout_s)
		return;
	if (daemon->idle)
		g_source_remove(daemon->idle);
	daemon->idle = g_timeout_add_seconds(daemon->config->timeout_s, on_idle, daemon);
}

static bool policy_read(const struct config *config, struct policy **ret_policy, GError **error)
{
	g_autofree char *path =
		config->policy ? g_strdup(config->policy) : config_policy_file(config);
	struct stat st;

	*ret_policy = NULL;
	if (!config->policy && sys_stat(path, &st) == -ENOENT)
		return true;
	*ret_policy = policy_load(path, error);
	return *ret_policy != NULL;
}

static void start_clients(struct daemon *daemon, struct policy *policy)
{
	const struct config *config = daemon->config;
	struct clients_config clients = {
		.max_clients = config->max_clients,
		.max_anonymous = config->max_anonymous,
		.keepalive_interval_s = config->keepalive_interval_s,
		.keepalive_count = config->keepalive_count,
		.only_uid = config->session ? geteuid() : (uid_t)-1,
		.polkit_rw = config->auth_rw == CONFIG_AUTH_POLKIT,
		.polkit_ro = config->auth_ro == CONFIG_AUTH_POLKIT,
		.open = open_uri,
		.changed = on_changed,
		.opaque = daemon,
	};

	daemon->clients = clients_new(&clients);
	clients_set_policy(daemon->clients, policy);
}

/* Where libvirt's clients look by themselves. What somebody else has there is left to him. */
static void listen_for_libvirt(struct daemon *daemon)
{
	static const char *const names[] = { "virtqemud-sock", "virtsocled-sock" };
	const struct config *config = daemon->config;
	g_autofree char *runtime = session_runtime_dir(config->session);
	g_autofree char *folder = g_build_filename(runtime, "libvirt", NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		g_autofree char *path = g_build_filename(folder, names[i], NULL);
		g_autoptr(GError) error = NULL;

		if (!folders_make(folder, 0755, &error) ||
		    !listeners_add_pair(daemon->listeners, path, config->socket_group,
					!config->session, &error))
			log_warning("not at libvirt's own address: %s", error->message);
	}
}

static bool start_listening(struct daemon *daemon, GError **error)
{
	const struct config *config = daemon->config;
	g_autofree char *folder = g_path_get_dirname(config->listen);
	unsigned local;

	daemon->listeners = listeners_new(daemon->clients);
	if (!listeners_add_activated(daemon->listeners, daemon->tls, &local, error))
		return false;
	if (!local && (!folders_make(folder, config->session ? 0700 : 0755, error) ||
		       !listeners_add_pair(daemon->listeners, config->listen, config->socket_group,
					   !config->session, error)))
		return false;
	if (config->listen_tls &&
	    !listeners_add_inet(daemon->listeners, config->listen_tls, daemon->tls, error))
		return false;
	if (config->listen_tcp &&
	    !listeners_add_inet(daemon->listeners, config->listen_tcp, NULL, error))
		return false;
	if (config->libvirt_sockets)
		listen_for_libvirt(daemon);
	return true;
}

/* == Life == */

static gboolean on_end(void *opaque)
{
	struct daemon *daemon = opaque;

	daemon->ending = true;
	g_main_loop_quit(daemon->loop);
	return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(void *opaque)
{
	struct daemon *daemon = opaque;
	g_autoptr(GError) error = NULL;
	struct policy *policy;

	if (policy_read(daemon->config, &policy, &error)) {
		clients_set_policy(daemon->clients, policy);
		log_info("the policy was read again; it is for clients that come from now on");
	} else {
		log_warning("the policy stays as it was: %s", error->message);
	}
	return G_SOURCE_CONTINUE;
}

static void catch_signals(struct daemon *daemon)
{
	(void)g_unix_signal_add(SIGTERM, on_end, daemon);
	(void)g_unix_signal_add(SIGINT, on_end, daemon);
	(void)g_unix_signal_add(SIGHUP, on_hangup, daemon);
	/* Whoever reads our stderr may go before us. */
	(void)signal(SIGPIPE, SIG_IGN);
}

static bool start_tls(struct daemon *daemon, GError **error)
{
	const struct config *config = daemon->config;
	struct tls_config tls = {
		.ca = config->tls_ca,
		.cert = config->tls_cert,
		.key = config->tls_key,
		.crl = config->tls_crl,
		.allowed_dn = config->tls_allowed_dn,
	};

	if (!config->tls_cert)
		return true;
	daemon->tls = tls_new(&tls, error);
	return daemon->tls != NULL;
}

static bool start(struct daemon *daemon, GError **error)
{
	const struct config *config = daemon->config;
	struct policy *policy = NULL;

	if (!folders_make(config->state, 0700, error) ||
	    !folders_make(config->run, config->session ? 0700 : 0755, error))
		return false;
	daemon->lock = lock_new(config->state, error);
	if (!daemon->lock || !lock_write_pidfile(daemon->lock, config->pidfile, error) ||
	    !policy_read(config, &policy, error))
		return false;
	if (!start_tls(daemon, error) || !start_machines(daemon, error)) {
		policy_free(policy);
		return false;
	}
	start_clients(daemon, policy);
	return start_listening(daemon, error);
}

struct daemon *daemon_new(const struct config *config, GError **error)
{
	struct daemon *daemon = g_new0(struct daemon, 1);

	daemon->config = config;
	daemon->loop = g_main_loop_new(NULL, FALSE);
	catch_signals(daemon);
	folders_raise_limits();
	if (!start(daemon, error))
		g_clear_pointer(&daemon, daemon_free);
	return daemon;
}

void daemon_run(struct daemon *daemon)
{
	on_changed(daemon);
	log_info("ready at '%s'", daemon->config->listen);
	activation_notify("READY=1");
	/* A signal may have come while we started. */
	if (!daemon->ending)
		g_main_loop_run(daemon->loop);
	activation_notify("STOPPING=1");
}

void daemon_free(struct daemon *daemon)
{
	if (!daemon)
		return;
	/* Signals stay caught: one more of them is no reason to leave things half done. */
	listeners_free(daemon->listeners);
	clients_free(daemon->clients, FAREWELL_MS);
	if (daemon->idle)
		g_source_remove(daemon->idle);
	if (daemon->store)
		store_finish(daemon->store);
	pools_finish(daemon->pools);
	node_free(daemon->test);
	node_free(daemon->node);
	pools_free(daemon->pools);
	store_free(daemon->store);
	networks_release(&daemon->networks);
	machines_release(&daemon->machines);
	host_facts_free(daemon->facts);
	tls_free(daemon->tls);
	lock_free(daemon->lock);
	g_main_loop_unref(daemon->loop);
	g_free(daemon);
}
