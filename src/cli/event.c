/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.c - tell what happens to machines, networks, pools and secrets, as it happens
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/params.h"

struct watch {
	struct cli *cli;
	uint64_t seen, wanted; /* 0: for ever */
};

static const char *word(const char *const *words, unsigned count, int n)
{
	return n >= 0 && (unsigned)n < count ? words[n] : "unknown";
}

#define WORD(n, ...)                                                 \
	({                                                           \
		static const char *const words_[] = { __VA_ARGS__ }; \
		word(words_, G_N_ELEMENTS(words_), n);               \
	})

/* Events of disks and other devices; false for others. */
static bool describe_device(const struct socle_event *event, json_t *json)
{
	switch ((int)event->id) {
	case SOCLE_EVENT_IO_ERROR:
	case SOCLE_EVENT_IO_ERROR_REASON:
		json_object_set_new(json, "path", cli_json_string(event->u.io_error.path));
		json_object_set_new(json, "alias", cli_json_string(event->u.io_error.alias));
		json_object_set_new(
			json, "action",
			json_string(WORD(event->u.io_error.action, "none", "pause", "report")));
		if (event->u.io_error.reason)
			json_object_set_new(json, "reason",
					    cli_json_string(event->u.io_error.reason));
		return true;
	case SOCLE_EVENT_BLOCK_JOB:
	case SOCLE_EVENT_BLOCK_JOB_2:
		json_object_set_new(json, "disk", cli_json_string(event->u.block_job.disk));
		json_object_set_new(json, "type",
				    json_string(WORD(event->u.block_job.type, "job", "pull", "copy",
						     "commit", "active commit", "backup")));
		json_object_set_new(json, "status",
				    json_string(WORD(event->u.block_job.status, "completed",
						     "failed", "cancelled", "ready")));
		return true;
	case SOCLE_EVENT_DISK_CHANGE:
		json_object_set_new(json, "alias", cli_json_string(event->u.disk_change.alias));
		json_object_set_new(json, "old", cli_json_string(event->u.disk_change.old_path));
		json_object_set_new(json, "new", cli_json_string(event->u.disk_change.new_path));
		return true;
	case SOCLE_EVENT_TRAY_CHANGE:
		json_object_set_new(json, "alias", cli_json_string(event->u.tray_change.alias));
		json_object_set_new(
			json, "tray",
			json_string(WORD(event->u.tray_change.reason, "open", "closed")));
		return true;
	case SOCLE_EVENT_DEVICE_ADDED:
	case SOCLE_EVENT_DEVICE_REMOVED:
	case SOCLE_EVENT_DEVICE_REMOVAL_FAILED:
		json_object_set_new(json, "alias", cli_json_string(event->u.device.alias));
		return true;
	case SOCLE_EVENT_BLOCK_THRESHOLD:
		json_object_set_new(json, "disk", cli_json_string(event->u.block_threshold.disk));
		json_object_set_new(json, "excess",
				    json_integer((json_int_t)event->u.block_threshold.excess));
		return true;
	default:
		return false;
	}
}

static void describe(const struct socle_event *event, json_t *json)
{
	switch ((int)event->id) {
	case SOCLE_EVENT_LIFECYCLE: {
		int what = event->u.lifecycle.event;

		json_object_set_new(json, "what", json_string(socle_event_lifecycle_name(what)));
		json_object_set_new(
			json, "why",
			json_string(socle_event_detail_name(what, event->u.lifecycle.detail)));
		return;
	}
	case SOCLE_EVENT_NETWORK_LIFECYCLE:
		json_object_set_new(
			json, "what",
			json_string(socle_event_network_name(event->u.lifecycle.event)));
		return;
	case SOCLE_EVENT_POOL_LIFECYCLE:
		json_object_set_new(json, "what",
				    json_string(socle_event_pool_name(event->u.lifecycle.event)));
		return;
	case SOCLE_EVENT_SECRET_LIFECYCLE:
		json_object_set_new(json, "what",
				    json_string(socle_event_secret_name(event->u.lifecycle.event)));
		return;
	case SOCLE_EVENT_RTC_CHANGE:
		json_object_set_new(json, "offset_s", json_integer(event->u.rtc_change.offset_s));
		return;
	case SOCLE_EVENT_WATCHDOG:
		json_object_set_new(json, "action",
				    json_string(WORD(event->u.watchdog.action, "none", "pause",
						     "reset", "off", "shutdown", "debug", "nmi")));
		return;
	case SOCLE_EVENT_GRAPHICS:
		json_object_set_new(json, "phase",
				    json_string(WORD(event->u.graphics.phase, "connect",
						     "initialize", "disconnect")));
		json_object_set_new(json, "client", cli_json_string(event->u.graphics.remote.node));
		return;
	case SOCLE_EVENT_BALLOON_CHANGE:
		json_object_set_new(
			json, "memory",
			json_integer((json_int_t)event->u.balloon_change.actual_kib * 1024));
		return;
	case SOCLE_EVENT_TUNABLE:
	case SOCLE_EVENT_JOB_COMPLETED:
		json_object_set_new(json, "values", params_json(event->u.tunable.params));
		return;
	case SOCLE_EVENT_AGENT_LIFECYCLE:
		json_object_set_new(json, "agent",
				    json_string(WORD(event->u.agent_lifecycle.state, "unknown",
						     "connected", "disconnected")));
		return;
	case SOCLE_EVENT_METADATA_CHANGE:
		json_object_set_new(json, "type",
				    json_string(WORD(event->u.metadata_change.type, "description",
						     "title", "element")));
		return;
	case SOCLE_EVENT_MEMORY_FAILURE:
		json_object_set_new(json, "action",
				    json_string(WORD(event->u.memory_failure.action, "ignored",
						     "injected", "fatal", "reset")));
		return;
	default:
		(void)describe_device(event, json);
		return;
	}
}

static char *now_text(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();

	return g_date_time_format(now, "%Y-%m-%dT%H:%M:%S%:z");
}

/* "what=started why=booted", from the members behind those of all events. */
static void line_out(const char *time, const char *kind, const char *name, json_t *json)
{
	const char *key;
	json_t *value;

	cli_out("%s %s", time, kind);
	if (name) {
		g_autofree char *plain = cli_plain(name);

		cli_out(" '%s'", plain);
	}
	json_object_foreach(json, key, value)
	{
		char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
		g_autofree char *plain = cli_plain(dump ? dump : json_string_value(value));

		cli_out(" %s=%s", key, plain);
		free(dump);
	}
	cli_out("\n");
}

/* Whose it is, and what that is called; NULL for events of the connection. */
static const char *subject_of(const struct socle_event *event, const char **ret_what,
			      const char **ret_uuid)
{
	if (event->domain) {
		*ret_what = "machine";
		*ret_uuid = socle_domain_uuid_text(event->domain);
		return socle_domain_name(event->domain);
	}
	if (event->network) {
		*ret_what = "network";
		*ret_uuid = socle_network_uuid_text(event->network);
		return socle_network_name(event->network);
	}
	if (event->secret) {
		*ret_what = "secret";
		*ret_uuid = socle_secret_uuid_text(event->secret);
		return cli_secret_name(event->secret);
	}
	if (!event->pool)
		return NULL;
	*ret_what = "pool";
	*ret_uuid = socle_pool_uuid_text(event->pool);
	return socle_pool_name(event->pool);
}

static void on_event(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	struct watch *watch = opaque;
	const char *kind = socle_event_name((int)event->id);
	const char *what = NULL, *uuid = NULL, *name = subject_of(event, &what, &uuid);
	g_autofree char *time = now_text();
	json_t *json;

	(void)conn;
	if (watch->wanted && watch->seen == watch->wanted)
		return;
	json = json_object();
	kind = event->id == SOCLE_EVENT_LOST       ? "connection-lost"
	       : event->id == SOCLE_EVENT_REOPENED ? "connection-reopened"
	       : kind                              ? kind
						   : "unknown";
	if (watch->cli->output == OUTPUT_JSON) {
		json_object_set_new(json, "time", json_string(time));
		json_object_set_new(json, "event", json_string(kind));
		if (name) {
			json_object_set_new(json, what, cli_json_string(name));
			json_object_set_new(json, "uuid", json_string(uuid));
		}
	}
	describe(event, json);
	if (watch->cli->output == OUTPUT_JSON) {
		cli_out_json_line(json);
	} else {
		line_out(time, kind, name, json);
		json_decref(json);
	}
	watch->seen += name != NULL;
}

/* The connection may come and go. */
static void register_own(struct watch *watch)
{
	(void)socle_event_register(watch->cli->conn, SOCLE_EVENT_LOST, NULL, on_event, watch, NULL,
				   NULL);
	(void)socle_event_register(watch->cli->conn, SOCLE_EVENT_REOPENED, NULL, on_event, watch,
				   NULL, NULL);
}

/* Kinds that the daemon does not know are left out, unless nothing is left. */
static bool register_all(struct watch *watch, struct socle_domain *dom, const char *only,
			 GError **error)
{
	struct socle_error *why = NULL;
	unsigned known = 0, asked = 0;

	for (int id = 0; id < SOCLE_EVENT_DOMAIN_COUNT; id++) {
		const char *name = socle_event_name(id);

		/* The same as the one with the number 2, which names the disk by its target. */
		if (!name || (id == SOCLE_EVENT_BLOCK_JOB && !only) ||
		    (only && strcmp(only, name) != 0))
			continue;
		asked++;
		g_clear_pointer(&why, socle_error_free);
		if (socle_event_register(watch->cli->conn, (enum socle_event_id)id, dom, on_event,
					 watch, NULL, &why) >= 0)
			known++;
	}
	if (!asked)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no kind of events '%s'; there are lifecycle, reboot, "
				 "block-job and more",
				 only);
	if (!known)
		return cli_fail(error, why, NULL);
	socle_error_free(why);
	register_own(watch);
	return true;
}

static bool watch_all(struct watch *watch, uint64_t for_ms, GError **error)
{
	uint64_t end = sys_monotonic_ns() + for_ms * 1000000;

	while (!watch->wanted || watch->seen < watch->wanted) {
		struct socle_error *why = NULL;
		uint64_t now = sys_monotonic_ns();
		int wait_ms =
			for_ms ? (int)MIN((end > now ? end - now + 999999 : 0) / 1000000, G_MAXINT)
			       : -1;

		if (for_ms && now >= end)
			return true;
		if (socle_conn_dispatch(watch->cli->conn, wait_ms, &why) < 0)
			return cli_fail(error, why, NULL);
		/* A reader that has gone is the end of it. */
		if (!cli_out_finish(error))
			return false;
	}
	return true;
}

static int run_events(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct watch watch = { .cli = cli };
	SOCLE_AUTO(domain) dom = NULL;
	uint64_t for_ms = 0;

	if (!cli_args_number(args, "count", 1, UINT32_MAX, &watch.wanted, error) ||
	    !cli_args_seconds(args, "for", &for_ms, error))
		return CLI_USAGE;
	if (!cli_connect_flags(cli, SOCLE_OPEN_RECONNECT, error))
		return CLI_FAILED;
	if (cli_args_words(args)) {
		dom = cli_machine(cli, cli_args_word(args, 0), error);
		if (!dom)
			return CLI_FAILED;
	}
	if (!register_all(&watch, dom, cli_args_value(args, "event"), error))
		return CLI_FAILED;
	return watch_all(&watch, for_ms, error) ? CLI_OK : CLI_FAILED;
}

#define ROWS_COUNT                                                   \
	{ "count", 'n', "N", CLI_TEXT, "end after so many" },        \
	{                                                            \
		"for", 'f', "SECONDS", CLI_TEXT, "end after so long" \
	}

static bool register_networks(struct watch *watch, const struct cli_args *args, GError **error)
{
	const char *word = cli_args_word(args, 0);
	SOCLE_AUTO(network) net = word ? cli_network(watch->cli, word, error) : NULL;
	struct socle_error *why = NULL;

	if (word && !net)
		return false;
	return socle_event_register_network(watch->cli->conn, SOCLE_EVENT_NETWORK_LIFECYCLE, net,
					    on_event, watch, NULL, &why) >= 0 ||
	       cli_fail(error, why, NULL);
}

static bool register_pools(struct watch *watch, const struct cli_args *args, GError **error)
{
	const char *word = cli_args_word(args, 0);
	SOCLE_AUTO(pool) pool = word ? cli_pool(watch->cli, word, error) : NULL;
	struct socle_error *why = NULL;

	if (word && !pool)
		return false;
	if (socle_event_register_pool(watch->cli->conn, SOCLE_EVENT_POOL_LIFECYCLE, pool, on_event,
				      watch, NULL, &why) < 0)
		return cli_fail(error, why, NULL);
	/* Not all daemons have it. */
	(void)socle_event_register_pool(watch->cli->conn, SOCLE_EVENT_POOL_REFRESH, pool, on_event,
					watch, NULL, NULL);
	return true;
}

static bool register_secrets(struct watch *watch, const struct cli_args *args, GError **error)
{
	const char *word = cli_args_word(args, 0);
	SOCLE_AUTO(secret) secret = word ? cli_secret(watch->cli, word, error) : NULL;
	struct socle_error *why = NULL;

	if (word && !secret)
		return false;
	for (int id = SOCLE_EVENT_SECRET_LIFECYCLE; id < SOCLE_EVENT_SECRET_END; id++) {
		if (socle_event_register_secret(watch->cli->conn, (enum socle_event_id)id, secret,
						on_event, watch, NULL, &why) < 0)
			return cli_fail(error, why, NULL);
	}
	return true;
}

static int run_others(struct cli *cli, const struct cli_args *args,
		      bool (*register_them)(struct watch *, const struct cli_args *, GError **),
		      GError **error)
{
	struct watch watch = { .cli = cli };
	uint64_t for_ms = 0;

	if (!cli_args_number(args, "count", 1, UINT32_MAX, &watch.wanted, error) ||
	    !cli_args_seconds(args, "for", &for_ms, error))
		return CLI_USAGE;
	if (!cli_connect_flags(cli, SOCLE_OPEN_RECONNECT, error) ||
	    !register_them(&watch, args, error))
		return CLI_FAILED;
	register_own(&watch);
	return watch_all(&watch, for_ms, error) ? CLI_OK : CLI_FAILED;
}

static int run_net_events(struct cli *cli, const struct cli_args *args, GError **error)
{
	return run_others(cli, args, register_networks, error);
}

const struct cli_command cli_net_events = {
	.noun = "net",
	.verb = "events",
	.names = "net-event",
	.arguments = "[NETWORK]",
	.summary = "Tell what happens to networks, until Ctrl-C; with JSON a line for each",
	.options = (const struct cli_option[]){ ROWS_COUNT, CLI_ROW_END },
	.what = { CLI_NETWORK },
	.max = 1,
	.run = run_net_events,
};

static int run_pool_events(struct cli *cli, const struct cli_args *args, GError **error)
{
	return run_others(cli, args, register_pools, error);
}

const struct cli_command cli_pool_events = {
	.noun = "pool",
	.verb = "events",
	.names = "pool-event",
	.arguments = "[POOL]",
	.summary = "Tell what happens to storage pools, until Ctrl-C; with JSON a line for each",
	.options = (const struct cli_option[]){ ROWS_COUNT, CLI_ROW_END },
	.what = { CLI_POOL },
	.max = 1,
	.run = run_pool_events,
};

static int run_secret_events(struct cli *cli, const struct cli_args *args, GError **error)
{
	return run_others(cli, args, register_secrets, error);
}

const struct cli_command cli_secret_events = {
	.noun = "secret",
	.verb = "events",
	.names = "secret-event",
	.arguments = "[SECRET]",
	.summary = "Tell what happens to secrets, until Ctrl-C; with JSON a line for each",
	.options = (const struct cli_option[]){ ROWS_COUNT, CLI_ROW_END },
	.what = { CLI_SECRET },
	.max = 1,
	.run = run_secret_events,
};

const struct cli_command cli_vm_events = {
	.noun = "vm",
	.verb = "events",
	.names = "event",
	.arguments = "[MACHINE]",
	.summary = "Tell what happens, until Ctrl-C; with JSON a line for each",
	.options = (const struct cli_option[]){ { "event", 'e', "KIND", CLI_TEXT,
						  "of this kind only: lifecycle, block-job, ..." },
						ROWS_COUNT,
						CLI_ROW_END },
	.what = { CLI_MACHINE },
	.max = 1,
	.flags = CLI_BARE,
	.run = run_events,
};
