/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-decode.c - what events of domains, networks, pools and secrets say
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "client/conn-int.h"
#include "client/object-int.h"
#include "client/params-int.h"

/* What an event has besides what its body has. */
struct extra {
	struct socle_params *params;
	struct socle_event_identity *subject;
};

struct decoder {
	int procedure;
	enum socle_event_id id;
	size_t off; /* of the domain, network, pool or secret in the body */
	void (*fill)(void *body, struct socle_event *event, struct extra *extra);
};

static void fill_nothing(void *body, struct socle_event *event, struct extra *extra)
{
	(void)body;
	(void)event;
	(void)extra;
}

static void fill_lifecycle(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_lifecycle_msg *m = body;

	(void)extra;
	event->u.lifecycle.event = m->event;
	event->u.lifecycle.detail = m->detail;
}

static void fill_rtc(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_rtc_change_msg *m = body;

	(void)extra;
	event->u.rtc_change.offset_s = m->offset;
}

static void fill_watchdog(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_watchdog_msg *m = body;

	(void)extra;
	event->u.watchdog.action = m->action;
}

static void fill_io_error(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_io_error_msg *m = body;

	(void)extra;
	event->u.io_error.path = m->srcPath;
	event->u.io_error.alias = m->devAlias;
	event->u.io_error.action = m->action;
}

static void fill_io_error_reason(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_io_error_reason_msg *m = body;

	(void)extra;
	event->u.io_error.path = m->srcPath;
	event->u.io_error.alias = m->devAlias;
	event->u.io_error.action = m->action;
	event->u.io_error.reason = m->reason;
}

static struct socle_event_address address(const rpc_domain_event_graphics_address *a)
{
	return (struct socle_event_address){ a->family, a->node, a->service };
}

static void fill_graphics(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_graphics_msg *m = body;
	unsigned count = m->subject.subject_len;

	extra->subject = g_new(struct socle_event_identity, count);
	for (unsigned i = 0; i < count; i++)
		extra->subject[i] = (struct socle_event_identity){
			m->subject.subject_val[i].type,
			m->subject.subject_val[i].name,
		};
	event->u.graphics.phase = m->phase;
	event->u.graphics.local = address(&m->local);
	event->u.graphics.remote = address(&m->remote);
	event->u.graphics.auth = m->authScheme;
	event->u.graphics.subject = extra->subject;
	event->u.graphics.subject_count = count;
}

static void fill_block_job(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_block_job_msg *m = body;

	(void)extra;
	event->u.block_job.disk = m->path;
	event->u.block_job.type = m->type;
	event->u.block_job.status = m->status;
}

static void fill_block_job_2(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_block_job_2_msg *m = body;

	(void)extra;
	event->u.block_job.disk = m->dst;
	event->u.block_job.type = m->type;
	event->u.block_job.status = m->status;
}

static void fill_disk_change(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_disk_change_msg *m = body;

	(void)extra;
	event->u.disk_change.old_path = m->oldSrcPath ? *m->oldSrcPath : NULL;
	event->u.disk_change.new_path = m->newSrcPath ? *m->newSrcPath : NULL;
	event->u.disk_change.alias = m->devAlias;
	event->u.disk_change.reason = m->reason;
}

static void fill_tray_change(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_tray_change_msg *m = body;

	(void)extra;
	event->u.tray_change.alias = m->devAlias;
	event->u.tray_change.reason = m->reason;
}

/* The three of power management look alike. */
static void fill_pm(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_pmwakeup_msg *m = body;

	(void)extra;
	event->u.pm.reason = m->reason;
}

static void fill_balloon(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_balloon_change_msg *m = body;

	(void)extra;
	event->u.balloon_change.actual_kib = m->actual;
}

/* The three of devices look alike. */
static void fill_device(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_device_added_msg *m = body;

	(void)extra;
	event->u.device.alias = m->devAlias;
}

static void fill_tunable(void *body, struct socle_event *event, struct extra *extra)
{
	rpc_domain_event_callback_tunable_msg *m = body;

	extra->params = client_params_take(&m->params.params_val, &m->params.params_len);
	event->u.tunable.params = extra->params;
}

static void fill_job_completed(void *body, struct socle_event *event, struct extra *extra)
{
	rpc_domain_event_callback_job_completed_msg *m = body;

	extra->params = client_params_take(&m->params.params_val, &m->params.params_len);
	event->u.tunable.params = extra->params;
}

static void fill_agent(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_agent_lifecycle_msg *m = body;

	(void)extra;
	event->u.agent_lifecycle.state = m->state;
	event->u.agent_lifecycle.reason = m->reason;
}

static void fill_iteration(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_migration_iteration_msg *m = body;

	(void)extra;
	event->u.migration_iteration.iteration = m->iteration;
}

static void fill_metadata(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_callback_metadata_change_msg *m = body;

	(void)extra;
	event->u.metadata_change.type = m->type;
	event->u.metadata_change.uri = m->nsuri ? *m->nsuri : NULL;
}

static void fill_threshold(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_block_threshold_msg *m = body;

	(void)extra;
	event->u.block_threshold.disk = m->dev;
	event->u.block_threshold.path = m->path ? *m->path : NULL;
	event->u.block_threshold.threshold = m->threshold;
	event->u.block_threshold.excess = m->excess;
}

static void fill_memory_failure(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_memory_failure_msg *m = body;

	(void)extra;
	event->u.memory_failure.recipient = m->recipient;
	event->u.memory_failure.action = m->action;
	event->u.memory_failure.flags = m->flags;
}

static void fill_memory_device(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_domain_event_memory_device_size_change_msg *m = body;

	(void)extra;
	event->u.memory_device_size.alias = m->alias;
	event->u.memory_device_size.size_kib = m->size;
}

static void fill_network(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_network_event_lifecycle_msg *m = body;

	(void)extra;
	event->u.lifecycle.event = m->event;
	event->u.lifecycle.detail = m->detail;
}

static void fill_pool(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_storage_pool_event_lifecycle_msg *m = body;

	(void)extra;
	event->u.lifecycle.event = m->event;
	event->u.lifecycle.detail = m->detail;
}

static void fill_secret(void *body, struct socle_event *event, struct extra *extra)
{
	const rpc_secret_event_lifecycle_msg *m = body;

	(void)extra;
	event->u.lifecycle.event = m->event;
	event->u.lifecycle.detail = m->detail;
}

#define DECODER(NAME, name, ID, fill)                                      \
	{                                                                  \
		RPC_PROC_DOMAIN_EVENT_##NAME, SOCLE_EVENT_##ID,            \
			offsetof(rpc_domain_event_##name##_msg, dom), fill \
	}

static const struct decoder decoders[] = {
	DECODER(CALLBACK_LIFECYCLE, callback_lifecycle, LIFECYCLE, fill_lifecycle),
	DECODER(CALLBACK_REBOOT, callback_reboot, REBOOT, fill_nothing),
	DECODER(CALLBACK_RTC_CHANGE, callback_rtc_change, RTC_CHANGE, fill_rtc),
	DECODER(CALLBACK_WATCHDOG, callback_watchdog, WATCHDOG, fill_watchdog),
	DECODER(CALLBACK_IO_ERROR, callback_io_error, IO_ERROR, fill_io_error),
	DECODER(CALLBACK_GRAPHICS, callback_graphics, GRAPHICS, fill_graphics),
	DECODER(CALLBACK_IO_ERROR_REASON, callback_io_error_reason, IO_ERROR_REASON,
		fill_io_error_reason),
	DECODER(CALLBACK_CONTROL_ERROR, callback_control_error, CONTROL_ERROR, fill_nothing),
	DECODER(CALLBACK_BLOCK_JOB, callback_block_job, BLOCK_JOB, fill_block_job),
	DECODER(CALLBACK_DISK_CHANGE, callback_disk_change, DISK_CHANGE, fill_disk_change),
	DECODER(CALLBACK_TRAY_CHANGE, callback_tray_change, TRAY_CHANGE, fill_tray_change),
	DECODER(CALLBACK_PMWAKEUP, callback_pmwakeup, PMWAKEUP, fill_pm),
	DECODER(CALLBACK_PMSUSPEND, callback_pmsuspend, PMSUSPEND, fill_pm),
	DECODER(CALLBACK_BALLOON_CHANGE, callback_balloon_change, BALLOON_CHANGE, fill_balloon),
	DECODER(CALLBACK_PMSUSPEND_DISK, callback_pmsuspend_disk, PMSUSPEND_DISK, fill_pm),
	DECODER(CALLBACK_DEVICE_REMOVED, callback_device_removed, DEVICE_REMOVED, fill_device),
	DECODER(BLOCK_JOB_2, block_job_2, BLOCK_JOB_2, fill_block_job_2),
	DECODER(CALLBACK_TUNABLE, callback_tunable, TUNABLE, fill_tunable),
	DECODER(CALLBACK_AGENT_LIFECYCLE, callback_agent_lifecycle, AGENT_LIFECYCLE, fill_agent),
	DECODER(CALLBACK_DEVICE_ADDED, callback_device_added, DEVICE_ADDED, fill_device),
	DECODER(CALLBACK_MIGRATION_ITERATION, callback_migration_iteration, MIGRATION_ITERATION,
		fill_iteration),
	DECODER(CALLBACK_JOB_COMPLETED, callback_job_completed, JOB_COMPLETED, fill_job_completed),
	DECODER(CALLBACK_DEVICE_REMOVAL_FAILED, callback_device_removal_failed,
		DEVICE_REMOVAL_FAILED, fill_device),
	DECODER(CALLBACK_METADATA_CHANGE, callback_metadata_change, METADATA_CHANGE, fill_metadata),
	DECODER(BLOCK_THRESHOLD, block_threshold, BLOCK_THRESHOLD, fill_threshold),
	DECODER(MEMORY_FAILURE, memory_failure, MEMORY_FAILURE, fill_memory_failure),
	DECODER(MEMORY_DEVICE_SIZE_CHANGE, memory_device_size_change, MEMORY_DEVICE_SIZE_CHANGE,
		fill_memory_device),
	{ RPC_PROC_NETWORK_EVENT_LIFECYCLE, SOCLE_EVENT_NETWORK_LIFECYCLE,
	  offsetof(rpc_network_event_lifecycle_msg, net), fill_network },
	{ RPC_PROC_STORAGE_POOL_EVENT_LIFECYCLE, SOCLE_EVENT_POOL_LIFECYCLE,
	  offsetof(rpc_storage_pool_event_lifecycle_msg, pool), fill_pool },
	{ RPC_PROC_STORAGE_POOL_EVENT_REFRESH, SOCLE_EVENT_POOL_REFRESH,
	  offsetof(rpc_storage_pool_event_refresh_msg, pool), fill_nothing },
	{ RPC_PROC_SECRET_EVENT_LIFECYCLE, SOCLE_EVENT_SECRET_LIFECYCLE,
	  offsetof(rpc_secret_event_lifecycle_msg, secret), fill_secret },
	{ RPC_PROC_SECRET_EVENT_VALUE_CHANGED, SOCLE_EVENT_SECRET_VALUE_CHANGED,
	  offsetof(rpc_secret_event_value_changed_msg, secret), fill_nothing },
};

/* The table is in the order of the kinds. */
static_assert(ARRAY_SIZE(decoders) == SOCLE_EVENT_DOMAIN_COUNT + 5, "a kind has no decoder");

static const struct decoder *find_decoder(int procedure)
{
	for (size_t i = 0; i < ARRAY_SIZE(decoders); i++) {
		if (decoders[i].procedure == procedure)
			return &decoders[i];
	}
	return NULL;
}

bool event_peek(const struct packet *packet, enum socle_event_id *ret_id, int *ret_server_id)
{
	const struct decoder *d = find_decoder(packet->received.header.procedure);

	/* The number comes first in all of them. */
	if (!d || packet->received.body.len < 4)
		return false;
	*ret_id = d->id;
	*ret_server_id = (int)get_be32(packet->received.body.p);
	return true;
}

/* Whose it is. */
static void tell_of(struct socle_conn *conn, const void *wire, struct socle_event *event)
{
	rpc_domain dom;
	rpc_network net;
	rpc_storage_pool pool;
	rpc_secret secret;

	if (event->id == SOCLE_EVENT_NETWORK_LIFECYCLE) {
		memcpy(&net, wire, sizeof(net));
		event->network = client_network_new(conn, &net);
	} else if (event->id == SOCLE_EVENT_POOL_LIFECYCLE ||
		   event->id == SOCLE_EVENT_POOL_REFRESH) {
		memcpy(&pool, wire, sizeof(pool));
		event->pool = client_pool_new(conn, &pool);
	} else if (event->id == SOCLE_EVENT_SECRET_LIFECYCLE ||
		   event->id == SOCLE_EVENT_SECRET_VALUE_CHANGED) {
		memcpy(&secret, wire, sizeof(secret));
		event->secret = client_secret_new(conn, &secret);
	} else {
		memcpy(&dom, wire, sizeof(dom));
		event->domain = domain_new(conn, &dom);
	}
}

bool event_tell(struct socle_conn *conn, struct packet *packet, const struct handler *handler)
{
	const struct decoder *d = find_decoder(packet->received.header.procedure);
	const struct rpc_procedure *proc = rpc_procedure_find(packet->received.header.procedure);
	struct rpc_received copy = packet->received;
	struct socle_event event = { .callback_id = handler->id };
	struct extra extra = { NULL, NULL };
	const struct rpc_layout *layout;
	void *body;
	bool ok;

	if (!d || !proc)
		return false;
	layout = &proc->args;
	event.id = d->id;
	body = g_malloc0(layout->size);
	ok = rpc_received_get_xdr(&copy, layout->xdr, body, layout->size, NULL);
	if (ok) {
		tell_of(conn, (const char *)body + d->off, &event);
		d->fill(body, &event, &extra);
		handler->fn(conn, &event, handler->opaque);
		socle_domain_unref(event.domain);
		socle_network_unref(event.network);
		socle_pool_unref(event.pool);
		socle_secret_unref(event.secret);
		socle_params_free(extra.params);
		g_free(extra.subject);
		rpc_body_release_xdr(layout->xdr, body, layout->size);
	}
	g_free(body);
	return ok;
}
