/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pool.c - storage pools and volumes: lives, events, turns, what is kept; work that takes long
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "client.h"
#include "manage/call.h"
#include "manage/fake-int.h"
#include "manage/node-int.h"
#include "manage/pool.h"
#include "rpc/stream.h"
#include "script.h"

static const char uuid_p[] = "00000000-0000-4000-8000-00000000000b";

/* Pools in memory, whose long work ends when a test says so. */
static struct {
	bool hold, hold_made, hold_usage, hold_start, hold_identify, found;
	bool no_sync;   /* of the last one that was made or opened */
	unsigned asked; /* for its usage */
	unsigned rounds,
		paths; /* that were asked what they lead to, and how many there were the last time */
	bool source_raw, resize_raw;
	unsigned deadline_ms;
	const char *fail_start;
	GQueue held; /* of struct held */
} lab;

struct held {
	struct task *task;
	struct vol_work *work;
	char *name;
};

static void hold(const char *name, struct vol_work *work, struct task *task)
{
	struct held *held = g_new(struct held, 1);

	*held = (struct held){ task, work ? vol_work_ref(work) : NULL, g_strdup(name) };
	g_queue_push_tail(&lab.held, held);
}

static void release(bool ok)
{
	struct held *held = g_queue_pop_head(&lab.held);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(held);
	if (!ok)
		g_set_error(&error, g_quark_from_static_string("lab"), 1, "it was given up");
	task_end(held->task, error);
	vol_work_unref(held->work);
	g_free(held->name);
	g_free(held);
}

static struct pool_ops lab_pools;

static void ended(struct task *task, const GError *error)
{
	(void)task;
	g_assert_no_error(error);
}

static void lab_start(void *opaque, const struct storage_pool *def, GBytes *password,
		      unsigned flags, struct storage **ret_storage, struct task *task)
{
	g_autoptr(GError) error = NULL;

	lab.found = flags & POOL_START_FOUND;
	if (!lab.fail_start) {
		struct task mine = { ended };

		fake_pools.start(opaque, def, password, flags, ret_storage, &mine);
		(*ret_storage)->ops = &lab_pools;
		if (lab.hold_start)
			hold("start", NULL, task);
		else
			task_end(task, NULL);
		return;
	}
	g_set_error(&error, g_quark_from_static_string("lab"), 1, "%s", lab.fail_start);
	task_end(task, error);
}

static void lab_create(struct storage *storage, const struct vol_create *what,
		       struct vol_work *work, struct task *task)
{
	struct task mine = { ended };

	lab.source_raw = what->source_raw;
	lab.no_sync = what->no_sync;
	if (!lab.hold)
		fake_pools.create(storage, what, work, lab.hold_made ? &mine : task);
	if (lab.hold || lab.hold_made)
		hold(what->vol->name, work, task);
}

static void lab_open(struct storage *storage, const char *name, const struct vol_open *how,
		     struct vol_io **ret_io, struct task *task)
{
	lab.no_sync = how->no_sync;
	fake_pools.open(storage, name, how, ret_io, task);
}

static void lab_resize(struct storage *storage, const char *name, uint64_t bytes, unsigned flags,
		       struct vol_work *work, struct task *task)
{
	lab.resize_raw = flags & VOL_RESIZE_RAW;
	if (lab.hold)
		hold(name, work, task);
	else
		fake_pools.resize(storage, name, bytes, flags, work, task);
}

/* The last letter of a path says which file it leads to. */
static struct file_id lab_id(const char *path)
{
	return (struct file_id){ FILE_REGULAR, 1, (uint64_t)path[strlen(path) - 1] };
}

static void lab_look(struct storage *storage, const char *name, struct storage_vol **ret_vol,
		     struct file_id *ret_id, struct task *task)
{
	struct file_id id;

	*ret_id = lab_id(name);
	fake_pools.look(storage, name, ret_vol, &id, task);
}

static void lab_usage(struct storage *storage, struct pool_usage *ret_usage, struct task *task)
{
	lab.asked++;
	if (lab.hold_usage)
		hold("usage", NULL, task);
	else
		fake_pools.usage(storage, ret_usage, task);
}

static void lab_identify(void *opaque, GPtrArray *paths, struct file_id *ret_ids, struct task *task)
{
	(void)opaque;
	lab.rounds++;
	lab.paths = paths->len;
	for (unsigned i = 0; i < paths->len; i++)
		ret_ids[i] = lab_id(paths->pdata[i]);
	if (lab.hold_identify)
		hold("identify", NULL, task);
	else
		task_end(task, NULL);
}

struct setup {
	struct node *node;
	struct server *server;
	struct test_client *c;
};

static struct node *lab_node(void)
{
	struct node_config config = { .uri = "qemu:///system",
				      .type = "QEMU",
				      .machines = &fake_machines,
				      .pools = &lab_pools,
				      .store = &script_store,
				      .support = { .test = true },
				      .deadline_ms = lab.deadline_ms };

	lab_pools = fake_pools;
	lab_pools.start = lab_start;
	lab_pools.create = lab_create;
	lab_pools.open = lab_open;
	lab_pools.resize = lab_resize;
	lab_pools.look = lab_look;
	lab_pools.usage = lab_usage;
	lab_pools.identify = lab_identify;
	return node_new(&config);
}

static struct setup begin_with(struct node *node)
{
	struct setup s = { .node = node };

	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	return s;
}

static struct setup begin(void)
{
	script_reset();
	memset(&lab, 0, sizeof(lab));
	return begin_with(lab_node());
}

static void end(struct setup *s)
{
	client_free(s->c);
	server_free(s->server);
	node_free(s->node);
}

static bool define(struct test_client *c, const char *name, const char *path,
		   rpc_storage_pool *ret_pool)
{
	g_autofree char *xml = g_strdup_printf("<pool type='dir'><name>%s</name><uuid>%s</uuid>"
					       "<target><path>%s</path></target></pool>",
					       name, uuid_p, path);
	rpc_storage_pool_define_xml_args args = { .xml = xml };
	rpc_storage_pool_define_xml_ret ret;

	memset(&ret, 0, sizeof(ret));
	if (!client_ask(c, RPC_PROC_STORAGE_POOL_DEFINE_XML, storage_pool_define_xml, &args, &ret))
		return false;
	if (ret_pool) {
		static char text[] = "p";

		*ret_pool = ret.pool;
		ret_pool->name = text;
	}
	rpc_body_release(rpc_storage_pool_define_xml_ret, &ret);
	return true;
}

/* Procedures that take a pool, and some flags or none. */
static bool act(struct test_client *c, int proc, rpc_storage_pool pool)
{
	rpc_storage_pool_create_args with = { .pool = pool };
	rpc_storage_pool_destroy_args bare = { .pool = pool };

	return proc == RPC_PROC_STORAGE_POOL_DESTROY || proc == RPC_PROC_STORAGE_POOL_UNDEFINE
		       ? client_call(c, proc, storage_pool_destroy, &bare)
		       : client_call(c, proc, storage_pool_create, &with);
}

static rpc_storage_pool started(struct test_client *c)
{
	rpc_storage_pool pool;

	g_assert_true(define(c, "p", "/p", &pool));
	g_assert_true(act(c, RPC_PROC_STORAGE_POOL_CREATE, pool));
	return pool;
}

static uint32_t send_create_as(struct test_client *c, rpc_storage_pool pool, const char *name,
			       unsigned flags)
{
	g_autofree char *xml = g_strdup_printf(
		"<volume><name>%s</name><capacity>1000000</capacity></volume>", name);
	rpc_storage_vol_create_xml_args args = { .pool = pool, .xml = xml, .flags = flags };

	return client_send_xdr(c, RPC_PROC_STORAGE_VOL_CREATE_XML,
			       (xdrproc_t)xdr_rpc_storage_vol_create_xml_args, &args);
}

static uint32_t send_create(struct test_client *c, rpc_storage_pool pool, const char *name)
{
	return send_create_as(c, pool, name, 0);
}

static bool answered(struct test_client *c, uint32_t serial)
{
	struct rpc_message *msg = client_wait(c, serial);

	return client_read(c, msg, NULL, NULL, 0);
}

static rpc_storage_vol vol_handle(const char *name)
{
	static char pool[] = "p", key[] = "";

	return (rpc_storage_vol){ .pool = pool, .name = (char *)(uintptr_t)name, .key = key };
}

static void want_events(struct test_client *c, int event)
{
	rpc_connect_storage_pool_event_register_any_args args = { .eventID = event };

	g_assert_true(client_call(c, RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
				  connect_storage_pool_event_register_any, &args));
}

static void expect(struct test_client *c, int event)
{
	rpc_storage_pool_event_lifecycle_msg msg;

	g_assert_true(client_event(c, RPC_PROC_STORAGE_POOL_EVENT_LIFECYCLE,
				   storage_pool_event_lifecycle, &msg));
	g_assert_cmpint(msg.event, ==, event);
	g_assert_cmpstr(msg.pool.name, ==, "p");
	rpc_body_release(rpc_storage_pool_event_lifecycle_msg, &msg);
}

static void test_life(void)
{
	struct setup s = begin();
	rpc_storage_pool pool;
	rpc_storage_pool_event_refresh_msg msg;

	want_events(s.c, 0);
	want_events(s.c, 1);
	g_assert_true(define(s.c, "p", "/p", &pool));
	expect(s.c, 0);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_BUILD, pool));
	expect(s.c, 4);
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_REFRESH, pool));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_CREATE, pool));
	expect(s.c, 2);
	/* What is in use is not made anew, nor erased. */
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_BUILD, pool));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_DELETE, pool));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_REFRESH, pool));
	g_assert_true(client_event(s.c, RPC_PROC_STORAGE_POOL_EVENT_REFRESH,
				   storage_pool_event_refresh, &msg));
	rpc_body_release(rpc_storage_pool_event_refresh_msg, &msg);
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_UNDEFINE, pool));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	expect(s.c, 3);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DELETE, pool));
	expect(s.c, 5);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_UNDEFINE, pool));
	expect(s.c, 1);
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_CREATE, pool));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_STORAGE_POOL);
	g_assert_cmpint(s.c->from, ==, RPC_FROM_STORAGE);
	end(&s);
}

/* Whose name, UUID or place it would take keeps it. */
static void test_names(void)
{
	struct setup s = begin();
	rpc_storage_pool_define_xml_args other = {
		.xml = (char[]){ "<pool "
				 "type='dir'><name>q</name><target><path>/p//</path></target></"
				 "pool>" }
	};
	rpc_storage_pool_define_xml_args same = { .xml = (char[]){
							  "<pool "
							  "type='dir'><name>p</name><target><path>/"
							  "q</path></target></pool>" } };

	g_assert_true(define(s.c, "p", "/p", NULL));
	g_assert_false(define(s.c, "q", "/q", NULL));
	g_assert_nonnull(strstr(s.c->error, "already defined with uuid"));
	g_assert_false(client_call(s.c, RPC_PROC_STORAGE_POOL_DEFINE_XML, storage_pool_define_xml,
				   &other));
	g_assert_nonnull(strstr(s.c->error, "conflict with pool: 'p'"));
	g_assert_false(
		client_call(s.c, RPC_PROC_STORAGE_POOL_DEFINE_XML, storage_pool_define_xml, &same));
	g_assert_nonnull(strstr(s.c->error, "already exists with uuid"));
	end(&s);
}

/* What cannot be kept has not happened; what was is there again. */
static void test_kept(void)
{
	struct setup s = begin();
	rpc_storage_pool pool;
	g_autofree char *config = NULL, *status = NULL;
	g_autoptr(GError) error = NULL;

	script.store_fail = "the disk is full";
	g_assert_false(define(s.c, "p", "/p", NULL));
	script.store_fail = NULL;
	pool = started(s.c);
	script.store_fail = "the disk is full";
	g_assert_false(define(s.c, "p", "/other", NULL));
	script.store_fail = NULL;
	config = g_strdup(g_hash_table_lookup(script.kept[STORE_POOL], uuid_p));
	status = g_strdup(g_hash_table_lookup(script.kept[STORE_POOL_STATUS], uuid_p));
	g_assert_true(strstr(config, "socle pool\nautostart no\n") && strstr(config, "<path>/p<"));
	g_assert_nonnull(strstr(status, "socle pool-status\n"));
	end(&s);

	s = begin_with(lab_node());
	g_assert_true(node_load(s.node, STORE_POOL, uuid_p, config, &error));
	g_assert_true(node_load(s.node, STORE_POOL_STATUS, uuid_p, status, &error));
	g_assert_false(node_load(s.node, STORE_POOL, uuid_p, config, NULL));
	g_assert_false(node_load(s.node, STORE_POOL, uuid_p, "garbage", NULL));
	node_loaded(s.node, false);
	g_assert_true(lab.found);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_REFRESH, pool));
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	g_assert_null(g_hash_table_lookup(script.kept[STORE_POOL_STATUS], uuid_p));
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_UNDEFINE, pool));
	g_assert_null(g_hash_table_lookup(script.kept[STORE_POOL], uuid_p));
	end(&s);
}

/* One that was active and cannot be any more is not, and one that had no definition is gone. */
static void test_lost(void)
{
	static const char status[] =
		"<!--\nsocle pool-status\n-->\n<pool type='dir'><name>p</name><uuid>"
		"00000000-0000-4000-8000-00000000000b</uuid><target><path>/p"
		"</path></target></pool>";
	struct setup s = begin();

	lab.fail_start = "the folder is gone";
	g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*'p' cannot be started: the folder*");
	g_assert_true(node_load(s.node, STORE_POOL_STATUS, uuid_p, status, NULL));
	node_loaded(s.node, false);
	g_test_assert_expected_messages();
	lab.fail_start = NULL;
	g_assert_true(define(s.c, "p", "/p", NULL));
	end(&s);
}

/* Machines are started by themselves once, without a pool that comes too late, and not again when it comes. */
static void test_late(void)
{
	struct setup s = begin();
	g_autofree char *pool = NULL, *machine = NULL, *uuid = NULL;
	rpc_domain_set_autostart_args autostart = { .autostart = 1 };
	rpc_domain_is_active_args is_active = { 0 };
	rpc_domain_is_active_ret active;
	GHashTableIter iter;
	gpointer key, text;
	g_autofree char *xml = test_xml("a", NULL,
					"<devices><disk type='volume'><source pool='p' volume='v'/>"
					"<target dev='vda'/></disk></devices>");

	(void)started(s.c);
	autostart.dom = client_define(s.c, xml);
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_SET_AUTOSTART, domain_set_autostart, &autostart));
	pool = g_strdup(g_hash_table_lookup(script.kept[STORE_POOL_STATUS], uuid_p));
	g_hash_table_iter_init(&iter, script.kept[STORE_DOMAIN]);
	g_assert_true(g_hash_table_iter_next(&iter, &key, &text));
	uuid = g_strdup(key);
	machine = g_strdup(text);
	end(&s);

	lab.deadline_ms = 1;
	lab.hold_start = true;
	s = begin_with(lab_node());
	g_assert_true(node_load(s.node, STORE_POOL_STATUS, uuid_p, pool, NULL));
	g_assert_true(node_load(s.node, STORE_DOMAIN, uuid, machine, NULL));
	g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*'p' is not active yet; machines are*");
	g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*'a' cannot be started:*");
	node_loaded(s.node, true);
	while (s.node->pools_timer)
		g_main_context_iteration(g_main_context_get_thread_default(), TRUE);
	turn();
	g_test_assert_expected_messages();
	/* One more warning would end this test. */
	release(true);
	turn();
	is_active.dom = autostart.dom;
	g_assert_true(
		client_ask(s.c, RPC_PROC_DOMAIN_IS_ACTIVE, domain_is_active, &is_active, &active));
	g_assert_false(active.active);
	end(&s);
}

/* A volume that is being made is there, and is nobody's yet. */
static void test_making(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_storage_pool_num_of_volumes_args count = { .pool = pool };
	rpc_storage_pool_num_of_volumes_ret number;
	rpc_storage_vol_get_info_args about = { .vol = vol_handle("v") };
	rpc_storage_vol_get_info_ret info;
	rpc_storage_vol_delete_args gone = { .vol = vol_handle("v") };
	const struct held *held;
	uint32_t first;

	lab.hold = true;
	first = send_create(s.c, pool, "v");
	turn();
	held = g_queue_peek_head(&lab.held);
	g_assert_cmpstr(held->name, ==, "v");
	atomic_store(&held->work->done, 4711);
	g_assert_true(client_ask(s.c, RPC_PROC_STORAGE_POOL_NUM_OF_VOLUMES,
				 storage_pool_num_of_volumes, &count, &number));
	g_assert_cmpint(number.num, ==, 1);
	g_assert_true(client_ask(s.c, RPC_PROC_STORAGE_VOL_GET_INFO, storage_vol_get_info, &about,
				 &info));
	g_assert_cmpuint(info.capacity, ==, 1000000);
	g_assert_cmpuint(info.allocation, ==, 4711);
	g_assert_false(answered(s.c, send_create(s.c, pool, "v")));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_STORAGE_VOL_EXIST);
	g_assert_false(client_call(s.c, RPC_PROC_STORAGE_VOL_DELETE, storage_vol_delete, &gone));
	g_assert_nonnull(strstr(s.c->error, "still being allocated"));
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	g_assert_nonnull(strstr(s.c->error, "asynchronous jobs running"));
	release(false);
	g_assert_false(answered(s.c, first));
	g_assert_false(client_ask(s.c, RPC_PROC_STORAGE_VOL_GET_INFO, storage_vol_get_info, &about,
				  &info));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_STORAGE_VOL);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	end(&s);
}

/* Who goes away does not want it any more. */
static void test_forsaken(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	struct test_client *other = client_open(s.server, false);
	const struct held *held;

	lab.hold = true;
	(void)send_create(other, pool, "v");
	turn();
	held = g_queue_peek_head(&lab.held);
	g_assert_false(atomic_load(&held->work->cancelled));
	client_free(other);
	g_assert_true(atomic_load(&held->work->cancelled));
	release(false);
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	end(&s);
}

/* Changes of a volume come one after the other; another volume does not wait for them. */
static void test_turns(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_storage_vol_resize_args args = { .vol = vol_handle("a"), .capacity = 2000000 };
	uint32_t serials[3];

	g_assert_true(answered(s.c, send_create(s.c, pool, "a")));
	g_assert_true(answered(s.c, send_create(s.c, pool, "b")));
	lab.hold = true;
	for (unsigned i = 0; i < 3; i++) {
		args.vol = vol_handle(i == 2 ? "b" : "a");
		serials[i] = client_send_xdr(s.c, RPC_PROC_STORAGE_VOL_RESIZE,
					     (xdrproc_t)xdr_rpc_storage_vol_resize_args, &args);
	}
	turn();
	g_assert_cmpuint(lab.held.length, ==, 2);
	release(true);
	g_assert_true(answered(s.c, serials[0]));
	g_assert_cmpuint(lab.held.length, ==, 2);
	release(true);
	release(true);
	g_assert_true(answered(s.c, serials[1]));
	g_assert_true(answered(s.c, serials[2]));
	end(&s);
}

/* == Files of clients == */

static bool may_send_files(struct test_client *c)
{
	rpc_connect_supports_feature_args args = { .feature = RPC_FEATURE_VOL_BY_FD };
	rpc_connect_supports_feature_ret ret;

	g_assert_true(client_ask(c, RPC_PROC_CONNECT_SUPPORTS_FEATURE, connect_supports_feature,
				 &args, &ret));
	return ret.supported;
}

/* The answer to an upload of a file: why it is refused. */
static int upload_fd(struct test_client *c, int fd)
{
	rpc_storage_vol_upload_args args = { .vol = vol_handle("v"), .flags = RPC_VOL_BY_FD };
	uint32_t serial = client_send_fd(c, RPC_PROC_STORAGE_VOL_UPLOAD,
					 (xdrproc_t)xdr_rpc_storage_vol_upload_args, &args, fd);

	g_assert_false(answered(c, serial));
	return c->code;
}

static char volume_v[] = "<volume><name>v</name><capacity>1000000</capacity></volume>";

/* The same of a new volume that is to have it. */
static int create_fd(struct test_client *c, rpc_storage_pool pool, int fd)
{
	rpc_storage_vol_create_xml_args args = { .pool = pool,
						 .xml = volume_v,
						 .flags = RPC_VOL_BY_STREAM | RPC_VOL_BY_FD };
	uint32_t serial = client_send_fd(c, RPC_PROC_STORAGE_VOL_CREATE_XML,
					 (xdrproc_t)xdr_rpc_storage_vol_create_xml_args, &args, fd);

	g_assert_false(answered(c, serial));
	return c->code;
}

static int open_file(void)
{
	return sys_open("/proc/self/exe", O_RDONLY, 0);
}

/* Only of those who are what the daemon is, and where the storage copies. */
static void test_files(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	struct test_client *own = client_open_by(s.server, geteuid()),
			   *other = client_open_by(s.server, geteuid() + 1);
	rpc_storage_vol_upload_args args = { .vol = vol_handle("v"), .flags = RPC_VOL_BY_FD };

	g_assert_true(answered(s.c, send_create(s.c, pool, "v")));
	g_assert_true(may_send_files(own));
	g_assert_false(may_send_files(other));
	g_assert_cmpint(upload_fd(other, open_file()), ==, RPC_CODE_OPERATION_DENIED);
	g_assert_cmpint(upload_fd(own, open_file()), ==, RPC_CODE_NO_SUPPORT);
	/* Without a file: nobody sent it, or it was lost on the way. */
	g_assert_false(client_call(own, RPC_PROC_STORAGE_VOL_UPLOAD, storage_vol_upload, &args));
	g_assert_cmpint(own->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_cmpint(upload_fd(own, -1), ==, RPC_CODE_INVALID_ARG);
	g_assert_nonnull(strstr(own->error, "has not come"));
	client_free(own);
	client_free(other);
	end(&s);
}

/* == Volumes that are there when their bytes are == */

static void feed(struct test_client *c, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);

	client_feed(c, packet.p, packet.len);
	rpc_message_free(msg);
	turn();
}

/* The answer opens a stream; what its packets begin with. */
static struct rpc_header begin_volume(struct test_client *c, rpc_storage_pool pool, unsigned flags)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = RPC_PROC_STORAGE_VOL_CREATE_XML };
	rpc_storage_vol_create_xml_ret ret;

	header.serial = send_create_as(c, pool, "v", flags | RPC_VOL_BY_STREAM);
	memset(&ret, 0, sizeof(ret));
	g_assert_true(client_read(c, client_wait(c, header.serial),
				  (xdrproc_t)xdr_rpc_storage_vol_create_xml_ret, &ret,
				  sizeof(ret)));
	g_assert_cmpstr(ret.vol.name, ==, "v");
	rpc_body_release(rpc_storage_vol_create_xml_ret, &ret);
	feed(c, rpc_stream_new_data(&header, "bytes", 5, NULL));
	return header;
}

static bool has_volume(struct test_client *c, uint64_t *ret_allocation)
{
	rpc_storage_vol_get_info_args about = { .vol = vol_handle("v") };
	rpc_storage_vol_get_info_ret info;

	if (!client_ask(c, RPC_PROC_STORAGE_VOL_GET_INFO, storage_vol_get_info, &about, &info)) {
		g_assert_cmpint(c->code, ==, RPC_CODE_NO_STORAGE_VOL);
		return false;
	}
	*ret_allocation = info.allocation;
	return true;
}

static bool delete_volume(struct test_client *c)
{
	rpc_storage_vol_delete_args args = { .vol = vol_handle("v") };

	return client_call(c, RPC_PROC_STORAGE_VOL_DELETE, storage_vol_delete, &args);
}

/* Finished it is there; until then it is being made, and nobody can have it. */
static void test_streamed(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	struct rpc_header header = begin_volume(s.c, pool, 0);
	rpc_storage_pool_num_of_volumes_args count = { .pool = pool };
	rpc_storage_pool_num_of_volumes_ret number;
	uint64_t allocation = 0;

	g_assert_true(has_volume(s.c, &allocation));
	g_assert_cmpuint(allocation, ==, 5);
	g_assert_true(client_ask(s.c, RPC_PROC_STORAGE_POOL_NUM_OF_VOLUMES,
				 storage_pool_num_of_volumes, &count, &number));
	g_assert_cmpint(number.num, ==, 1);
	g_assert_false(delete_volume(s.c));
	g_assert_nonnull(strstr(s.c->error, "still being allocated"));
	g_assert_false(answered(s.c, send_create(s.c, pool, "v")));
	g_assert_false(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	feed(s.c, rpc_stream_new_finish(&header));
	g_assert_true(answered(s.c, header.serial));
	g_assert_true(has_volume(s.c, &allocation));
	g_assert_cmpuint(allocation, ==, 1000000);
	g_assert_true(delete_volume(s.c));
	end(&s);
}

/* Given up, refused by the storage, or its client is gone: then it never was. */
static void test_streamed_in_vain(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	struct test_client *other = client_open(s.server, false);
	struct rpc_header header = begin_volume(s.c, pool, 0);
	uint64_t allocation;

	feed(s.c, rpc_stream_new_abort(&header));
	g_assert_false(answered(s.c, header.serial));
	g_assert_false(has_volume(s.c, &allocation));
	/* It is longer than it was to be. */
	header = begin_volume(s.c, pool, 0);
	feed(s.c, rpc_stream_new_hole(&header, 1000000, NULL));
	g_assert_false(answered(s.c, header.serial));
	g_assert_false(has_volume(s.c, &allocation));
	(void)begin_volume(other, pool, 0);
	client_free(other);
	turn();
	g_assert_false(has_volume(s.c, &allocation));
	/* Its client is gone before it can be opened. */
	other = client_open(s.server, false);
	lab.hold_made = true;
	(void)send_create_as(other, pool, "v", RPC_VOL_BY_STREAM);
	turn();
	client_free(other);
	release(true);
	turn();
	g_assert_false(has_volume(s.c, &allocation));
	g_assert_true(act(s.c, RPC_PROC_STORAGE_POOL_DESTROY, pool));
	end(&s);
}

/* By whom, and with what, is as for uploads; and where nothing is copied nothing stays. */
static void test_streamed_files(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	struct test_client *other = client_open_by(s.server, geteuid() + 1);
	uint64_t allocation;

	g_assert_false(answered(s.c, send_create_as(s.c, pool, "v", RPC_VOL_BY_FD)));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_cmpint(create_fd(other, pool, open_file()), ==, RPC_CODE_OPERATION_DENIED);
	client_free(other);
	other = client_open_by(s.server, geteuid());
	g_assert_cmpint(create_fd(other, pool, open_file()), ==, RPC_CODE_NO_SUPPORT);
	client_free(other);
	g_assert_false(has_volume(s.c, &allocation));
	end(&s);
}

/* == What need not be on the disk == */

static bool begin_transfer(struct test_client *c, int proc, unsigned flags)
{
	rpc_storage_vol_upload_args args = { .vol = vol_handle("v"), .flags = flags };

	lab.no_sync = false;
	return client_call(c, proc, storage_vol_upload, &args);
}

/* By who asks for it, and for what gets bytes. */
static void test_no_sync(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_connect_supports_feature_args asked = { .feature = RPC_FEATURE_VOL_NO_SYNC };
	rpc_connect_supports_feature_ret has;
	rpc_storage_vol_create_xml_from_args copy = {
		.pool = pool,
		.xml = (char[]){ "<volume><name>w</name><capacity>0</capacity></volume>" },
		.vol = vol_handle("v"),
		.flags = RPC_VOL_NO_SYNC,
	};
	struct test_client *other = client_open(s.server, false);

	g_assert_true(client_ask(s.c, RPC_PROC_CONNECT_SUPPORTS_FEATURE, connect_supports_feature,
				 &asked, &has));
	g_assert_true(has.supported);
	/* Made and opened. */
	(void)begin_volume(other, pool, RPC_VOL_NO_SYNC);
	g_assert_true(lab.no_sync);
	client_free(other);
	turn();
	g_assert_false(answered(s.c, send_create_as(s.c, pool, "v", RPC_VOL_NO_SYNC)));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);

	g_assert_true(answered(s.c, send_create(s.c, pool, "v")));
	g_assert_false(lab.no_sync);
	g_assert_true(client_call(s.c, RPC_PROC_STORAGE_VOL_CREATE_XML_FROM,
				  storage_vol_create_xml_from, &copy));
	g_assert_true(lab.no_sync);

	for (unsigned i = 0; i < 2; i++) {
		other = client_open(s.server, false);
		g_assert_true(begin_transfer(other, RPC_PROC_STORAGE_VOL_UPLOAD,
					     i ? RPC_VOL_NO_SYNC : 0));
		g_assert_true(lab.no_sync == (i == 1));
		client_free(other);
		turn();
	}
	g_assert_false(begin_transfer(s.c, RPC_PROC_STORAGE_VOL_DOWNLOAD, RPC_VOL_NO_SYNC));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);
	end(&s);
}

static int state_of(struct test_client *c, rpc_storage_pool pool)
{
	rpc_storage_pool_get_info_args args = { .pool = pool };
	rpc_storage_pool_get_info_ret ret;

	g_assert_true(client_call_xdr(
		c, RPC_PROC_STORAGE_POOL_GET_INFO, (xdrproc_t)xdr_rpc_storage_pool_get_info_args,
		&args, (xdrproc_t)xdr_rpc_storage_pool_get_info_ret, &ret, sizeof(ret)));
	return ret.state;
}

/* Whoever lists pools does not wait for one whose server is gone, and it is not asked again meanwhile. */
static void test_silent(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);

	g_assert_cmpint(state_of(s.c, pool), ==, 2);
	lab.hold_usage = true;
	lab.asked = 0;
	g_assert_cmpint(state_of(s.c, pool), ==, 4);
	g_assert_cmpint(state_of(s.c, pool), ==, 4);
	g_assert_cmpuint(lab.asked, ==, 1);
	lab.hold_usage = false;
	release(true);
	g_assert_cmpint(state_of(s.c, pool), ==, 2);
	end(&s);
}

/* == What paths lead to == */

static rpc_domain define_machine(struct test_client *c, const char *name, const char *path,
				 const char *format, const char *more)
{
	g_autofree char *rest = g_strdup_printf("<devices><disk><driver type='%s'/><source "
						"file='%s'/><target dev='vda'/></disk></devices>%s",
						format, path, more);
	g_autofree char *xml = test_xml(name, NULL, rest);

	return client_define(c, xml);
}

static uint32_t send_create_qcow2(struct test_client *c, rpc_storage_pool pool, const char *name)
{
	g_autofree char *xml = g_strdup_printf("<volume><name>%s</name><capacity>1000000</capacity>"
					       "<target><format type='qcow2'/></target></volume>",
					       name);
	rpc_storage_vol_create_xml_args args = { .pool = pool, .xml = xml };

	return client_send_xdr(c, RPC_PROC_STORAGE_VOL_CREATE_XML,
			       (xdrproc_t)xdr_rpc_storage_vol_create_xml_args, &args);
}

static uint32_t send_look(struct test_client *c, const char *name)
{
	rpc_storage_vol_get_xml_desc_args args = { .vol = vol_handle(name) };

	return client_send_xdr(c, RPC_PROC_STORAGE_VOL_GET_XML_DESC,
			       (xdrproc_t)xdr_rpc_storage_vol_get_xml_desc_args, &args);
}

static bool says_raw(struct test_client *c, uint32_t serial)
{
	rpc_storage_vol_get_xml_desc_ret ret = { 0 };
	bool raw;

	g_assert_true(client_read(c, client_wait(c, serial),
				  (xdrproc_t)xdr_rpc_storage_vol_get_xml_desc_ret, &ret,
				  sizeof(ret)));
	raw = strstr(ret.xml, "<format type='raw'/>");
	rpc_body_release(rpc_storage_vol_get_xml_desc_ret, &ret);
	return raw;
}

/* What a machine has as raw is that, whichever path it has it by, and whoever asks. */
static void test_raw(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_storage_vol_resize_args resize = { .vol = vol_handle("v"), .capacity = 2000000 };
	rpc_storage_vol_create_xml_from_args copy = {
		.pool = pool,
		.xml = (char[]){ "<volume><name>w</name><capacity>0</capacity></volume>" },
		.vol = vol_handle("v"),
	};

	g_assert_true(answered(s.c, send_create_qcow2(s.c, pool, "u")));
	g_assert_true(answered(s.c, send_create_qcow2(s.c, pool, "v")));
	g_assert_true(answered(s.c, send_create(s.c, pool, "x")));
	/* Nobody has a raw disk, and nothing is asked. */
	(void)define_machine(s.c, "q", "/elsewhere/v", "qcow2", "");
	g_assert_false(says_raw(s.c, send_look(s.c, "v")));
	g_assert_cmpuint(lab.rounds, ==, 0);
	(void)define_machine(s.c, "m", "/elsewhere/v", "raw", "");
	g_assert_true(says_raw(s.c, send_look(s.c, "v")));
	g_assert_false(says_raw(s.c, send_look(s.c, "u")));
	g_assert_cmpuint(lab.rounds, ==, 2);
	/* It says that it is raw; and what has the name needs no question. */
	(void)define_machine(s.c, "n", "/p/u", "raw", "");
	g_assert_true(says_raw(s.c, send_look(s.c, "x")));
	g_assert_true(says_raw(s.c, send_look(s.c, "u")));
	g_assert_cmpuint(lab.rounds, ==, 2);

	g_assert_true(client_call(s.c, RPC_PROC_STORAGE_VOL_RESIZE, storage_vol_resize, &resize));
	g_assert_true(lab.resize_raw);
	g_assert_true(client_call(s.c, RPC_PROC_STORAGE_VOL_CREATE_XML_FROM,
				  storage_vol_create_xml_from, &copy));
	g_assert_true(lab.source_raw);
	end(&s);
}

/* Those who ask while it is being found out are answered together, by what is found out behind that. */
static void test_rounds(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	uint32_t first, others[3];

	for (unsigned i = 0; i < 4; i++)
		g_assert_true(answered(
			s.c, send_create_qcow2(s.c, pool, (const char[]){ (char)('a' + i), 0 })));
	(void)define_machine(s.c, "m", "/elsewhere/a", "raw", "");
	lab.hold_identify = true;
	first = send_look(s.c, "a");
	turn();
	g_assert_cmpuint(lab.paths, ==, 1);
	/* Too late for the round that is on its way. */
	(void)define_machine(s.c, "n", "/elsewhere/b", "raw", "");
	for (unsigned i = 0; i < 3; i++)
		others[i] = send_look(s.c, (const char *[]){ "b", "c", "a" }[i]);
	turn();
	g_assert_cmpuint(lab.rounds, ==, 1);
	release(true);
	g_assert_true(says_raw(s.c, first));
	g_assert_cmpuint(lab.rounds, ==, 2);
	g_assert_cmpuint(lab.paths, ==, 2);
	release(true);
	g_assert_true(says_raw(s.c, others[0]));
	g_assert_false(says_raw(s.c, others[1]));
	g_assert_true(says_raw(s.c, others[2]));
	/* If it cannot be found out, nobody is told what may be wrong. */
	first = send_look(s.c, "c");
	turn();
	release(false);
	g_assert_false(answered(s.c, first));
	g_assert_cmpuint(lab.held.length, ==, 0);
	end(&s);
}

static bool start_machine(struct test_client *c, rpc_domain dom)
{
	rpc_domain_create_args args = { .dom = dom };

	return client_call(c, RPC_PROC_DOMAIN_CREATE, domain_create, &args);
}

/* One more disk, while it runs. */
static bool plug(struct test_client *c, rpc_domain dom, const char *path)
{
	g_autofree char *xml =
		g_strdup_printf("<disk type='file'><driver type='qcow2'/><source file='%s'/>"
				"<target dev='vdb' bus='virtio'/></disk>",
				path);
	rpc_domain_attach_device_args args = { .dom = dom, .xml = xml };

	return client_call(c, RPC_PROC_DOMAIN_ATTACH_DEVICE, domain_attach_device, &args);
}

/* A disk that another machine's refers to, by whichever path, is not written to. */
static void test_linked(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_domain base = define_machine(s.c, "base", "/elsewhere/v", "qcow2", "");
	rpc_domain other = define_machine(s.c, "other", "/elsewhere/w", "qcow2", "");
	rpc_storage_vol_delete_args gone = { .vol = vol_handle("v") };
	rpc_domain_create_xml_args transient = { 0 };
	g_autofree char *xml = test_xml("t", NULL,
					"<devices><disk><source file='/elsewhere/t'/>"
					"<target dev='vda'/></disk></devices>");
	uint32_t beginning;

	g_assert_true(answered(s.c, send_create(s.c, pool, "v")));
	g_assert_true(start_machine(s.c, base));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, base));
	g_assert_cmpuint(lab.rounds, ==, 0);
	(void)define_machine(s.c, "clone", "/p/clone", "qcow2",
			     "<metadata><socle:domain xmlns:socle='urn:socle:domain'>"
			     "<socle:linked path='/p/v'/></socle:domain></metadata>");
	g_assert_false(start_machine(s.c, base));
	g_assert_nonnull(strstr(s.c->error, "a disk of 'clone' begins as its disk 'vda' is"));
	g_assert_cmpuint(lab.rounds, ==, 1);
	g_assert_true(start_machine(s.c, other));
	g_assert_false(plug(s.c, other, "/elsewhere/v"));
	g_assert_nonnull(strstr(s.c->error, "a disk of 'clone' begins as its disk 'vdb' is"));
	g_assert_cmpuint(lab.rounds, ==, 3);
	g_assert_true(plug(s.c, other, "/elsewhere/x"));
	/* A machine that has no definition yet needs nothing. */
	lab.hold_identify = true;
	transient.xml_desc = xml;
	beginning = client_send_xdr(s.c, RPC_PROC_DOMAIN_CREATE_XML,
				    (xdrproc_t)xdr_rpc_domain_create_xml_args, &transient);
	turn();
	g_assert_false(client_call(s.c, RPC_PROC_STORAGE_VOL_DELETE, storage_vol_delete, &gone));
	g_assert_nonnull(strstr(s.c->error, "disks of 'clone' refer to volume 'v'"));
	g_assert_cmpuint(lab.held.length, ==, 1);
	release(true);
	g_assert_true(answered(s.c, beginning));
	end(&s);
}

/* A node that ends while something is made, and while somebody waits for that. */
static void test_end(void)
{
	struct setup s = begin();
	rpc_storage_pool pool = started(s.c);
	rpc_storage_vol_resize_args args = { .vol = vol_handle("a"), .capacity = 2000000 };

	g_assert_true(answered(s.c, send_create(s.c, pool, "a")));
	lab.hold = true;
	for (unsigned i = 0; i < 2; i++)
		(void)client_send_xdr(s.c, RPC_PROC_STORAGE_VOL_RESIZE,
				      (xdrproc_t)xdr_rpc_storage_vol_resize_args, &args);
	turn();
	/* As daemons do it: work ends first. */
	release(false);
	release(false);
	end(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/manage/pool/life", test_life);
	g_test_add_func("/manage/pool/names", test_names);
	g_test_add_func("/manage/pool/kept", test_kept);
	g_test_add_func("/manage/pool/lost", test_lost);
	g_test_add_func("/manage/pool/late", test_late);
	g_test_add_func("/manage/pool/making", test_making);
	g_test_add_func("/manage/pool/forsaken", test_forsaken);
	g_test_add_func("/manage/pool/turns", test_turns);
	g_test_add_func("/manage/pool/files", test_files);
	g_test_add_func("/manage/pool/streamed", test_streamed);
	g_test_add_func("/manage/pool/streamed-in-vain", test_streamed_in_vain);
	g_test_add_func("/manage/pool/streamed-files", test_streamed_files);
	g_test_add_func("/manage/pool/no-sync", test_no_sync);
	g_test_add_func("/manage/pool/silent", test_silent);
	g_test_add_func("/manage/pool/raw", test_raw);
	g_test_add_func("/manage/pool/rounds", test_rounds);
	g_test_add_func("/manage/pool/linked", test_linked);
	g_test_add_func("/manage/pool/end", test_end);
	return g_test_run();
}
