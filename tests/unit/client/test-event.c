/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-event.c - events: all kinds, who is told, when, and again behind a lost connection
 */
#include <poll.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "base/thread.h"
#include "client/object-int.h"
#include "fake.h"

/* A server that numbers callbacks from 40 on; sends an event when it is asked for a type. */
struct source {
	pthread_mutex_t lock;
	int next;
	unsigned deregistered;
	int procedure;
	const char *spec;
	bool before_answer; /* the event comes before the answer to its registration */
	bool behind_answer;
	bool refuse;
	bool late; /* the next registration is answered before the next other call */
	struct rpc_header kept;
	int last_deregistered, deregistered_by;
	uint8_t body[256]; /* of the last registration */
	size_t body_len;
};

static void keep_body(struct source *s, const struct rpc_received *packet)
{
	s->body_len = MIN(packet->body.len, sizeof(s->body));
	memcpy(s->body, packet->body.p, s->body_len);
}

static void register_one(struct fake *fake, struct source *s, const struct rpc_received *packet)
{
	g_autofree char *answer = g_strdup_printf("i%d", s->next);

	if (s->refuse) {
		fake_error(fake, packet, SOCLE_ERR_NO_SUPPORT, "no such event");
		return;
	}
	if (s->late) {
		s->late = false;
		s->kept = packet->header;
		return;
	}
	if (s->before_answer)
		fake_event(fake, s->procedure, s->spec);
	fake_reply(fake, packet, answer);
	if (s->behind_answer)
		fake_event(fake, s->procedure, s->spec);
	s->next++;
}

static void on_packet(struct fake *fake, const struct rpc_received *packet)
{
	struct source *s = fake->opaque;

	pthread_mutex_lock(&s->lock);
	switch (packet->header.procedure) {
	case RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY:
	case RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY:
	case RPC_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY:
	case RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY:
		keep_body(s, packet);
		register_one(fake, s, packet);
		break;
	case RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY:
	case RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY:
	case RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY:
	case RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY:
		s->deregistered++;
		s->deregistered_by = packet->header.procedure;
		s->last_deregistered = (int)get_be32(packet->body.p);
		fake_reply(fake, packet, "");
		break;
	case RPC_PROC_CONNECT_GET_TYPE:
		if (s->kept.procedure) {
			const struct rpc_received kept = { .header = s->kept };

			s->kept.procedure = 0;
			register_one(fake, s, &kept);
		}
		fake_event(fake, s->procedure, s->spec);
		fake_reply(fake, packet, "s:x");
		break;
	case RPC_PROC_CONNECT_GET_URI:
		fake_reply(fake, packet, "s:x");
		break;
	case RPC_PROC_CONNECT_GET_HOSTNAME:
		fake_hang_up(fake);
		break;
	default:
		break;
	}
	pthread_mutex_unlock(&s->lock);
}

struct world {
	struct fake fake;
	struct source source;
	struct socle_conn *conn;
	GString *told;
	unsigned released;
};

static void world_init(struct world *w, unsigned flags)
{
	w->source = (struct source){ .lock = PTHREAD_MUTEX_INITIALIZER, .next = 40 };
	fake_init(&w->fake, on_packet);
	w->fake.opaque = &w->source;
	w->conn = fake_connect(&w->fake, flags);
	w->told = g_string_new(NULL);
	w->released = 0;
}

static void world_release(struct world *w)
{
	socle_conn_unref(w->conn);
	fake_release(&w->fake);
	g_string_free(w->told, TRUE);
}

static void set_event(struct world *w, int procedure, const char *spec)
{
	pthread_mutex_lock(&w->source.lock);
	w->source.procedure = procedure;
	w->source.spec = spec;
	pthread_mutex_unlock(&w->source.lock);
}

/* The server sends it now; when this returns it has come. */
static void send_event(struct world *w, int procedure, const char *spec)
{
	set_event(w, procedure, spec);
	free(socle_conn_type(w->conn, NULL));
}

static void put_back(void *opaque)
{
	((struct world *)opaque)->released++;
}

/* == All kinds == */

static const char *or_none(const char *text)
{
	return text ? text : "none";
}

static void say_params(GString *out, const struct socle_params *params)
{
	uint64_t n = 0;

	g_assert_true(socle_params_get_uint64(params, "n", &n));
	g_string_append_printf(out, "%zu n=%d", socle_params_count(params), (int)n);
}

static void say_more(GString *out, const struct socle_event *e)
{
	switch ((int)e->id) {
	case SOCLE_EVENT_TUNABLE:
	case SOCLE_EVENT_JOB_COMPLETED:
		say_params(out, e->u.tunable.params);
		break;
	case SOCLE_EVENT_AGENT_LIFECYCLE:
		g_string_append_printf(out, "%d %d", e->u.agent_lifecycle.state,
				       e->u.agent_lifecycle.reason);
		break;
	case SOCLE_EVENT_MIGRATION_ITERATION:
		g_string_append_printf(out, "%d", e->u.migration_iteration.iteration);
		break;
	case SOCLE_EVENT_METADATA_CHANGE:
		g_string_append_printf(out, "%d %s", e->u.metadata_change.type,
				       or_none(e->u.metadata_change.uri));
		break;
	case SOCLE_EVENT_BLOCK_THRESHOLD:
		g_string_append_printf(out, "%s %s %d %d", e->u.block_threshold.disk,
				       or_none(e->u.block_threshold.path),
				       (int)e->u.block_threshold.threshold,
				       (int)e->u.block_threshold.excess);
		break;
	case SOCLE_EVENT_MEMORY_FAILURE:
		g_string_append_printf(out, "%d %d %u", e->u.memory_failure.recipient,
				       e->u.memory_failure.action, e->u.memory_failure.flags);
		break;
	case SOCLE_EVENT_MEMORY_DEVICE_SIZE_CHANGE:
		g_string_append_printf(out, "%s %d", e->u.memory_device_size.alias,
				       (int)e->u.memory_device_size.size_kib);
		break;
	default:
		break;
	}
}

static void say_graphics(GString *out, const struct socle_event *e)
{
	g_string_append_printf(
		out, "%d %d/%s/%s %d/%s/%s %s", e->u.graphics.phase, e->u.graphics.local.family,
		e->u.graphics.local.node, e->u.graphics.local.service, e->u.graphics.remote.family,
		e->u.graphics.remote.node, e->u.graphics.remote.service, e->u.graphics.auth);
	for (unsigned i = 0; i < e->u.graphics.subject_count; i++)
		g_string_append_printf(out, " %s=%s", e->u.graphics.subject[i].type,
				       e->u.graphics.subject[i].name);
}

static void say(struct socle_conn *conn, const struct socle_event *e, void *opaque)
{
	struct world *w = opaque;
	GString *out = w->told;

	g_assert_true(conn == w->conn);
	g_string_append_printf(out, "%s%s: ", out->len > 0 ? "; " : "",
			       socle_event_name((int)e->id));
	if (e->id < SOCLE_EVENT_DOMAIN_COUNT)
		g_assert_cmpstr(socle_domain_name(e->domain), ==, "vm");
	switch ((int)e->id) {
	case SOCLE_EVENT_LIFECYCLE:
		g_string_append_printf(
			out, "%s %s", socle_event_lifecycle_name(e->u.lifecycle.event),
			socle_event_detail_name(e->u.lifecycle.event, e->u.lifecycle.detail));
		break;
	case SOCLE_EVENT_RTC_CHANGE:
		g_string_append_printf(out, "%d", (int)e->u.rtc_change.offset_s);
		break;
	case SOCLE_EVENT_WATCHDOG:
		g_string_append_printf(out, "%d", e->u.watchdog.action);
		break;
	case SOCLE_EVENT_IO_ERROR:
	case SOCLE_EVENT_IO_ERROR_REASON:
		g_string_append_printf(out, "%s %s %d %s", e->u.io_error.path, e->u.io_error.alias,
				       e->u.io_error.action, or_none(e->u.io_error.reason));
		break;
	case SOCLE_EVENT_GRAPHICS:
		say_graphics(out, e);
		break;
	case SOCLE_EVENT_BLOCK_JOB:
	case SOCLE_EVENT_BLOCK_JOB_2:
		g_string_append_printf(out, "%s %d %d", e->u.block_job.disk, e->u.block_job.type,
				       e->u.block_job.status);
		break;
	case SOCLE_EVENT_DISK_CHANGE:
		g_string_append_printf(out, "%s %s %s %d", or_none(e->u.disk_change.old_path),
				       or_none(e->u.disk_change.new_path), e->u.disk_change.alias,
				       e->u.disk_change.reason);
		break;
	case SOCLE_EVENT_TRAY_CHANGE:
		g_string_append_printf(out, "%s %d", e->u.tray_change.alias,
				       e->u.tray_change.reason);
		break;
	case SOCLE_EVENT_PMWAKEUP:
	case SOCLE_EVENT_PMSUSPEND:
	case SOCLE_EVENT_PMSUSPEND_DISK:
		g_string_append_printf(out, "%d", e->u.pm.reason);
		break;
	case SOCLE_EVENT_BALLOON_CHANGE:
		g_string_append_printf(out, "%d", (int)e->u.balloon_change.actual_kib);
		break;
	case SOCLE_EVENT_DEVICE_ADDED:
	case SOCLE_EVENT_DEVICE_REMOVED:
	case SOCLE_EVENT_DEVICE_REMOVAL_FAILED:
		g_string_append(out, e->u.device.alias);
		break;
	case SOCLE_EVENT_CLOSED:
	case SOCLE_EVENT_LOST:
		g_string_append_printf(out, "%d", e->u.closed.reason);
		break;
	case SOCLE_EVENT_REOPENED:
		g_string_append(out, or_none(e->u.reopened.problem));
		break;
	case SOCLE_EVENT_NETWORK_LIFECYCLE:
		g_string_append_printf(out, "%s %s", socle_network_name(e->network),
				       socle_event_network_name(e->u.lifecycle.event));
		break;
	case SOCLE_EVENT_POOL_LIFECYCLE:
		g_string_append_printf(out, "%s %s", socle_pool_name(e->pool),
				       socle_event_pool_name(e->u.lifecycle.event));
		break;
	case SOCLE_EVENT_POOL_REFRESH:
		g_string_append(out, socle_pool_name(e->pool));
		break;
	case SOCLE_EVENT_SECRET_LIFECYCLE:
		g_string_append_printf(out, "%s %s", socle_secret_usage_id(e->secret),
				       socle_event_secret_name(e->u.lifecycle.event));
		break;
	case SOCLE_EVENT_SECRET_VALUE_CHANGED:
		g_string_append(out, socle_secret_usage_id(e->secret));
		break;
	default:
		say_more(out, e);
		break;
	}
}

struct kind {
	enum socle_event_id id;
	int procedure;
	const char *spec;
	const char *told;
};

#define KIND(ID, NAME, spec, told)                                         \
	{                                                                  \
		SOCLE_EVENT_##ID, RPC_PROC_DOMAIN_EVENT_##NAME, spec, told \
	}

static const struct kind kinds[] = {
	KIND(LIFECYCLE, CALLBACK_LIFECYCLE, "i40 D i5 i1", "lifecycle: stopped destroyed"),
	KIND(REBOOT, CALLBACK_REBOOT, "i40 D", "reboot: "),
	KIND(RTC_CHANGE, CALLBACK_RTC_CHANGE, "i40 D h-60", "rtc-change: -60"),
	KIND(WATCHDOG, CALLBACK_WATCHDOG, "i40 D i3", "watchdog: 3"),
	KIND(IO_ERROR, CALLBACK_IO_ERROR, "i40 D s:/img s:vda i1", "io-error: /img vda 1 none"),
	KIND(GRAPHICS, CALLBACK_GRAPHICS,
	     "i40 D i1 i0 s:127.0.0.1 s:5900 i1 s:fe80 s:99 s:vnc i1 s:x509 s:me",
	     "graphics: 1 0/127.0.0.1/5900 1/fe80/99 vnc x509=me"),
	KIND(IO_ERROR_REASON, CALLBACK_IO_ERROR_REASON, "i40 D s:/img s:vda i1 s:enospc",
	     "io-error-reason: /img vda 1 enospc"),
	KIND(CONTROL_ERROR, CALLBACK_CONTROL_ERROR, "i40 D", "control-error: "),
	KIND(BLOCK_JOB, CALLBACK_BLOCK_JOB, "i40 D s:/img i3 i0", "block-job: /img 3 0"),
	KIND(DISK_CHANGE, CALLBACK_DISK_CHANGE, "i40 D ?:/old - s:cd i0",
	     "disk-change: /old none cd 0"),
	KIND(TRAY_CHANGE, CALLBACK_TRAY_CHANGE, "i40 D s:cd i1", "tray-change: cd 1"),
	KIND(PMWAKEUP, CALLBACK_PMWAKEUP, "i40 i5 D", "pm-wakeup: 5"),
	KIND(PMSUSPEND, CALLBACK_PMSUSPEND, "i40 i6 D", "pm-suspend: 6"),
	KIND(BALLOON_CHANGE, CALLBACK_BALLOON_CHANGE, "i40 D h4096", "balloon-change: 4096"),
	KIND(PMSUSPEND_DISK, CALLBACK_PMSUSPEND_DISK, "i40 i7 D", "pm-suspend-disk: 7"),
	KIND(DEVICE_REMOVED, CALLBACK_DEVICE_REMOVED, "i40 D s:net0", "device-removed: net0"),
	KIND(BLOCK_JOB_2, BLOCK_JOB_2, "i40 D s:vda i4 i3", "block-job-2: vda 4 3"),
	KIND(TUNABLE, CALLBACK_TUNABLE, "i40 D i1 s:n i4 h5", "tunable: 1 n=5"),
	KIND(AGENT_LIFECYCLE, CALLBACK_AGENT_LIFECYCLE, "i40 D i1 i2", "agent-lifecycle: 1 2"),
	KIND(DEVICE_ADDED, CALLBACK_DEVICE_ADDED, "i40 D s:net0", "device-added: net0"),
	KIND(MIGRATION_ITERATION, CALLBACK_MIGRATION_ITERATION, "i40 D i3",
	     "migration-iteration: 3"),
	KIND(JOB_COMPLETED, CALLBACK_JOB_COMPLETED, "i40 D i1 s:n i2 i6", "job-completed: 1 n=6"),
	KIND(DEVICE_REMOVAL_FAILED, CALLBACK_DEVICE_REMOVAL_FAILED, "i40 D s:net0",
	     "device-removal-failed: net0"),
	KIND(METADATA_CHANGE, CALLBACK_METADATA_CHANGE, "i40 D i2 ?:urn:x",
	     "metadata-change: 2 urn:x"),
	KIND(BLOCK_THRESHOLD, BLOCK_THRESHOLD, "i40 D s:vda - h5 h6",
	     "block-threshold: vda none 5 6"),
	KIND(MEMORY_FAILURE, MEMORY_FAILURE, "i40 D i1 i2 i3", "memory-failure: 1 2 3"),
	KIND(MEMORY_DEVICE_SIZE_CHANGE, MEMORY_DEVICE_SIZE_CHANGE, "i40 D s:dimm0 h1024",
	     "memory-device-size-change: dimm0 1024"),
	{ SOCLE_EVENT_NETWORK_LIFECYCLE, RPC_PROC_NETWORK_EVENT_LIFECYCLE, "i40 N i2 i0",
	  "network-lifecycle: net started" },
	{ SOCLE_EVENT_POOL_LIFECYCLE, RPC_PROC_STORAGE_POOL_EVENT_LIFECYCLE, "i40 P i4 i0",
	  "pool-lifecycle: pool created" },
	{ SOCLE_EVENT_POOL_REFRESH, RPC_PROC_STORAGE_POOL_EVENT_REFRESH, "i40 P",
	  "pool-refresh: pool" },
	{ SOCLE_EVENT_SECRET_LIFECYCLE, RPC_PROC_SECRET_EVENT_LIFECYCLE, "i40 K i1 i0",
	  "secret-lifecycle: key undefined" },
	{ SOCLE_EVENT_SECRET_VALUE_CHANGED, RPC_PROC_SECRET_EVENT_VALUE_CHANGED, "i40 K",
	  "secret-value-changed: key" },
};

static void test_kind(const void *opaque)
{
	const struct kind *k = opaque;
	struct world w;

	world_init(&w, 0);
	g_assert_cmpint(socle_event_register(w.conn, k->id, NULL, say, &w, put_back, NULL), ==, 0);
	send_event(&w, k->procedure, k->spec);
	g_assert_cmpint(socle_conn_dispatch(w.conn, 0, NULL), ==, 1);
	g_assert_cmpstr(w.told->str, ==, k->told);
	g_assert_cmpint(socle_event_deregister(w.conn, 0, NULL), ==, 0);
	g_assert_cmpuint(w.released, ==, 1);
	world_release(&w);
}

/* Each kind of object has calls of its own, and its events say whose they are. */
static void test_one_object(void)
{
	static const struct {
		enum socle_event_id id;
		const char *body;
		int stop;
	} objects[] = {
		{ SOCLE_EVENT_REBOOT, "i1 i1 D",
		  RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY },
		{ SOCLE_EVENT_NETWORK_LIFECYCLE, "i0 i1 N",
		  RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY },
		{ SOCLE_EVENT_POOL_REFRESH, "i1 i1 P",
		  RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY },
		{ SOCLE_EVENT_SECRET_VALUE_CHANGED, "i1 i1 K",
		  RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY },
	};
	rpc_domain dom = { .name = (char *)(uintptr_t) "vm", .id = 7 };
	rpc_network net = { .name = (char *)(uintptr_t) "net" };
	rpc_storage_pool pool = { .name = (char *)(uintptr_t) "pool" };
	rpc_secret key = { .usageType = 2, .usageID = (char *)(uintptr_t) "key" };
	struct world w;

	memcpy(dom.uuid, fake_uuid, sizeof(dom.uuid));
	memcpy(net.uuid, fake_uuid, sizeof(net.uuid));
	memcpy(pool.uuid, fake_uuid, sizeof(pool.uuid));
	memcpy(key.uuid, fake_uuid, sizeof(key.uuid));
	world_init(&w, 0);
	for (int i = 0; i < (int)G_N_ELEMENTS(objects); i++) {
		g_autoptr(GByteArray) body = spec_bytes(objects[i].body);
		SOCLE_AUTO(domain) one = domain_new(w.conn, &dom);
		SOCLE_AUTO(network) network = client_network_new(w.conn, &net);
		SOCLE_AUTO(pool) storage = client_pool_new(w.conn, &pool);
		SOCLE_AUTO(secret) secret = client_secret_new(w.conn, &key);

		if (i == 0)
			g_assert_cmpint(socle_event_register(w.conn, objects[i].id, one, say, &w,
							     NULL, NULL),
					==, i);
		else if (i == 1)
			g_assert_cmpint(socle_event_register_network(w.conn, objects[i].id, network,
								     say, &w, NULL, NULL),
					==, i);
		else if (i == 2)
			g_assert_cmpint(socle_event_register_pool(w.conn, objects[i].id, storage,
								  say, &w, NULL, NULL),
					==, i);
		else
			g_assert_cmpint(socle_event_register_secret(w.conn, objects[i].id, secret,
								    say, &w, NULL, NULL),
					==, i);
		g_assert_cmpmem(w.source.body, w.source.body_len, body->data, body->len);
		g_assert_cmpint(socle_event_deregister(w.conn, i, NULL), ==, 0);
		g_assert_cmpint(w.source.deregistered_by, ==, objects[i].stop);
	}
	world_release(&w);
}

/* An event of one kind of object is not to be had of another. */
static void test_wrong_object(void)
{
	rpc_domain dom = { .name = (char *)(uintptr_t) "vm", .id = 7 };
	struct world w;

	world_init(&w, 0);
	{
		SOCLE_AUTO(domain) one = domain_new(w.conn, &dom);

		g_assert_cmpint(socle_event_register(w.conn, SOCLE_EVENT_POOL_REFRESH, one, say, &w,
						     NULL, NULL),
				==, -1);
	}
	g_assert_cmpint(socle_event_register_network(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w,
						     NULL, NULL),
			==, -1);
	g_assert_cmpint(
		socle_event_register_pool(w.conn, SOCLE_EVENT_CLOSED, NULL, say, &w, NULL, NULL),
		==, -1);
	g_assert_cmpint(socle_event_register_secret(w.conn, SOCLE_EVENT_POOL_REFRESH, NULL, say, &w,
						    NULL, NULL),
			==, -1);
	g_assert_cmpint(
		socle_event_register(w.conn, SOCLE_EVENT_NETWORK_END, NULL, say, &w, NULL, NULL),
		==, -1);
	world_release(&w);
}

/* == Who is told, and when == */

#define STARTED "i40 D i2 i0"

static bool is_readable(struct world *w)
{
	struct pollfd fd = { .fd = socle_conn_event_fd(w->conn), .events = POLLIN };

	return sys_poll(&fd, 1, 0) == 1;
}

static void test_waits_for_dispatch(void)
{
	struct world w;

	world_init(&w, 0);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	g_assert_false(is_readable(&w));
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	g_assert_cmpstr(w.told->str, ==, "");
	g_assert_true(is_readable(&w));
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i40 D i3 i0");
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 2);
	g_assert_cmpstr(w.told->str, ==, "lifecycle: started booted; lifecycle: suspended paused");
	g_assert_false(is_readable(&w));
	g_assert_cmpint(socle_conn_dispatch(w.conn, 0, NULL), ==, 0);
	g_assert_cmpint(socle_conn_dispatch(w.conn, 1, NULL), ==, 0);
	world_release(&w);
}

/* Others than the one that is registered; and one that makes no sense. */
static void test_not_ours(void)
{
	struct world w;

	world_init(&w, 0);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i41 D i2 i0");
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, "i40 D");
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i40 D i2");
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "");
	send_event(&w, RPC_PROC_NETWORK_EVENT_LIFECYCLE, "i40 s:net U i1 i2");
	g_assert_cmpint(socle_conn_dispatch(w.conn, 0, NULL), ==, 0);
	g_assert_cmpstr(w.told->str, ==, "");
	world_release(&w);
}

/* The event of a registration whose answer has not come yet is kept. */
static void test_before_answer(void)
{
	struct world w;

	world_init(&w, 0);
	w.source.before_answer = true;
	set_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 1);
	g_assert_cmpstr(w.told->str, ==, "lifecycle: started booted");
	world_release(&w);
}

static void deregister_self(struct socle_conn *conn, const struct socle_event *e, void *opaque)
{
	struct world *w = opaque;

	say(conn, e, opaque);
	g_assert_cmpint(socle_event_deregister(conn, e->callback_id, NULL), ==, 0);
	/* It goes when it is not called any more. */
	g_assert_cmpuint(w->released, ==, 0);
}

static void test_deregister_inside(void)
{
	struct world w;
	struct socle_error *error = NULL;

	world_init(&w, 0);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, deregister_self, &w, put_back,
			     NULL);
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	g_assert_cmpint(socle_conn_dispatch(w.conn, 0, NULL), ==, 1);
	g_assert_cmpuint(w.released, ==, 1);
	g_assert_cmpstr(w.told->str, ==, "lifecycle: started booted");
	g_assert_cmpuint(w.source.deregistered, ==, 1);
	g_assert_cmpint(socle_event_deregister(w.conn, 0, &error), ==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_INVALID_ARG);
	socle_error_free(error);
	world_release(&w);
}

/* Who called has gone when it is registered: the server must not tell it for ever. */
static void test_late(void)
{
	struct world w;
	struct socle_error *error = NULL;

	world_init(&w, 0);
	w.source.late = true;
	set_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	socle_conn_set_timeout(w.conn, 1);
	g_assert_cmpint(socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, put_back,
					     &error),
			==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_OPERATION_TIMEOUT);
	socle_error_free(error);
	socle_conn_set_timeout(w.conn, 0);
	free(socle_conn_type(w.conn, NULL));
	free(socle_conn_type(w.conn, NULL));
	g_assert_cmpuint(w.source.deregistered, ==, 1);
	g_assert_cmpint(w.source.last_deregistered, ==, 40);
	g_assert_cmpint(socle_conn_dispatch(w.conn, 0, NULL), ==, 0);
	world_release(&w);
	g_assert_cmpuint(w.released, ==, 0);
}

/* What came before the connection was lost is for whom the server's number meant then. */
static void test_old_numbers(void)
{
	struct world w, other = { .told = g_string_new(NULL) };
	int first;

	world_init(&w, SOCLE_OPEN_RECONNECT);
	other.conn = w.conn;
	first = socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &other, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_REOPENED, NULL, say, &w, NULL, NULL);
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i41 D i2 i0");
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i99 D i2 i0");
	/* The new server counts from 41 on: 41 is the other one there. */
	pthread_mutex_lock(&w.source.lock);
	w.source.next = 41;
	pthread_mutex_unlock(&w.source.lock);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i41 D i3 i0");
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 3);
	g_assert_cmpstr(w.told->str, ==, "lifecycle: started booted; reopened: none");
	g_assert_cmpstr(other.told->str, ==, "lifecycle: suspended paused");
	g_assert_cmpint(socle_event_deregister(w.conn, first, NULL), ==, 0);
	g_assert_cmpint(w.source.last_deregistered, ==, 41);
	world_release(&w);
	g_string_free(other.told, TRUE);
}

static void deregister_once(struct socle_conn *conn, const struct socle_event *e, void *opaque)
{
	(void)opaque;
	g_assert_cmpint(socle_event_deregister(conn, e->callback_id, NULL), ==, 0);
}

static void count_released(void *opaque)
{
	atomic_fetch_add((atomic_uint *)opaque, 1);
}

static void dispatch_until_closed(void *opaque)
{
	while (socle_conn_dispatch(opaque, -1, NULL) >= 0)
		;
}

/* A callback that deregisters itself may run before its registration has returned. */
static void test_deregister_early(void)
{
	enum {
		TIMES = 200
	};
	struct world w;
	struct thread *thread;
	atomic_uint released = 0;

	world_init(&w, 0);
	w.source.behind_answer = true;
	thread = thread_start("dispatch", dispatch_until_closed, w.conn, NULL);
	for (unsigned i = 0; i < TIMES; i++) {
		g_autofree char *spec = g_strdup_printf("i%u D i2 i0", 40 + i);

		set_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, spec);
		g_assert_cmpint(socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL,
						     deregister_once, &released, count_released,
						     NULL),
				==, (int)i);
		/* It is sent by now. */
		free(socle_conn_uri(w.conn, NULL));
	}
	while (atomic_load(&released) < TIMES)
		g_usleep(1000);
	socle_conn_close(w.conn);
	thread_join(thread);
	world_release(&w);
	g_assert_cmpuint(released, ==, TIMES);
}

static void test_released_at_end(void)
{
	struct world w;

	world_init(&w, 0);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, put_back, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_CLOSED, NULL, say, &w, put_back, NULL);
	world_release(&w);
	g_assert_cmpuint(w.released, ==, 2);
}

static void test_refused(void)
{
	struct world w;
	struct socle_error *error = NULL;

	world_init(&w, 0);
	w.source.refuse = true;
	g_assert_cmpint(
		socle_event_register(w.conn, SOCLE_EVENT_REBOOT, NULL, say, &w, put_back, &error),
		==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_NO_SUPPORT);
	socle_error_free(error);
	error = NULL;
	g_assert_cmpint(
		socle_event_register(w.conn, SOCLE_EVENT_DOMAIN_COUNT, NULL, say, &w, NULL, &error),
		==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_INVALID_ARG);
	socle_error_free(error);
	world_release(&w);
	g_assert_cmpuint(w.released, ==, 0);
}

/* == The connection's own == */

static void test_closed(void)
{
	struct world w;
	struct socle_error *error = NULL;

	world_init(&w, 0);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_CLOSED, NULL, say, &w, NULL, NULL);
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, STARTED);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	/* First all that came, then the end, then the error. */
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 2);
	g_assert_cmpstr(w.told->str, ==, "lifecycle: started booted; closed: 1");
	g_assert_true(is_readable(&w));
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, &error), ==, -1);
	g_assert_cmpint(socle_error_code(error), ==, SOCLE_ERR_CONNECTION_LOST);
	socle_error_free(error);
	world_release(&w);
}

static void test_reopened(void)
{
	struct world w;

	world_init(&w, SOCLE_OPEN_RECONNECT);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_LOST, NULL, say, &w, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_REOPENED, NULL, say, &w, NULL, NULL);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	/* The number of the callback is another one now, which the library knows. */
	send_event(&w, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, "i41 D i2 i0");
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 3);
	g_assert_cmpstr(w.told->str, ==, "lost: 1; reopened: none; lifecycle: started booted");
	g_assert_cmpuint(w.fake.sessions, ==, 2);
	world_release(&w);
}

/* Networks and pools are registered again by their own calls. */
static void test_reopened_network(void)
{
	struct world w;
	int id;

	world_init(&w, SOCLE_OPEN_RECONNECT);
	id = socle_event_register(w.conn, SOCLE_EVENT_NETWORK_LIFECYCLE, NULL, say, &w, NULL, NULL);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	send_event(&w, RPC_PROC_NETWORK_EVENT_LIFECYCLE, "i41 N i3 i0");
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 1);
	g_assert_cmpstr(w.told->str, ==, "network-lifecycle: net stopped");
	g_assert_cmpint(socle_event_deregister(w.conn, id, NULL), ==, 0);
	g_assert_cmpint(w.source.deregistered_by, ==,
			RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY);
	world_release(&w);
}

static void test_reopened_without(void)
{
	struct world w;

	world_init(&w, SOCLE_OPEN_RECONNECT);
	socle_event_register(w.conn, SOCLE_EVENT_LIFECYCLE, NULL, say, &w, NULL, NULL);
	socle_event_register(w.conn, SOCLE_EVENT_REOPENED, NULL, say, &w, NULL, NULL);
	pthread_mutex_lock(&w.source.lock);
	w.source.refuse = true;
	pthread_mutex_unlock(&w.source.lock);
	g_assert_null(socle_conn_hostname(w.conn, NULL));
	g_assert_cmpint(socle_conn_dispatch(w.conn, -1, NULL), ==, 1);
	g_assert_cmpstr(w.told->str, ==,
			"reopened: events of kind 0 are not told any more: no such event");
	world_release(&w);
}

static void count_dropped(struct socle_conn *conn, const struct socle_event *e, void *opaque)
{
	(void)conn;
	*(uint64_t *)opaque += e->u.dropped.count;
}

static void flood(struct fake *fake, const struct rpc_received *packet)
{
	if (packet->header.procedure != RPC_PROC_CONNECT_GET_TYPE)
		return;
	for (int i = 0; i < CONN_EVENTS_MAX + 10; i++)
		fake_event(fake, RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, "i40 D");
	fake_reply(fake, packet, "s:x");
}

/* Nobody takes them: memory has a bound, and it is told how many are lost. */
static void test_dropped(void)
{
	struct fake fake;
	struct socle_conn *conn;
	uint64_t dropped = 0;

	fake_init(&fake, flood);
	conn = fake_connect(&fake, 0);
	socle_event_register(conn, SOCLE_EVENT_DROPPED, NULL, count_dropped, &dropped, NULL, NULL);
	free(socle_conn_type(conn, NULL));
	g_assert_cmpint(socle_conn_dispatch(conn, -1, NULL), ==, 1);
	g_assert_cmpuint(dropped, ==, 10);
	socle_conn_unref(conn);
	fake_release(&fake);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_assert_cmpuint(G_N_ELEMENTS(kinds), ==, SOCLE_EVENT_DOMAIN_COUNT + 5);
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *path =
			g_strdup_printf("/client/event/%s", socle_event_name((int)kinds[i].id));

		g_test_add_data_func(path, &kinds[i], test_kind);
	}
	fake_add_test("/client/event/one-object", test_one_object);
	fake_add_test("/client/event/wrong-object", test_wrong_object);
	fake_add_test("/client/event/waits-for-dispatch", test_waits_for_dispatch);
	fake_add_test("/client/event/not-ours", test_not_ours);
	fake_add_test("/client/event/before-answer", test_before_answer);
	fake_add_test("/client/event/deregister-inside", test_deregister_inside);
	fake_add_test("/client/event/late", test_late);
	fake_add_test("/client/event/old-numbers", test_old_numbers);
	fake_add_test("/client/event/deregister-early", test_deregister_early);
	fake_add_test("/client/event/released-at-end", test_released_at_end);
	fake_add_test("/client/event/refused", test_refused);
	fake_add_test("/client/event/closed", test_closed);
	fake_add_test("/client/event/reopened", test_reopened);
	fake_add_test("/client/event/reopened-network", test_reopened_network);
	fake_add_test("/client/event/reopened-without", test_reopened_without);
	fake_add_test("/client/event/dropped", test_dropped);
	return g_test_run();
}
