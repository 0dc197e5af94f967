/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools.c - storage pools of this host: calls of the seam become work on threads
 *
 * Each piece of work has a thread of its own while it lasts, so a file system that hangs is the trouble of
 * those who ask for it. Work owns copies of all it needs. It ends on the main loop, where its results are
 * handed over, unless the daemon ends first and the work hangs: then it is left alone, with what it owns.
 */
#include "daemon/pools.h"

#include <fcntl.h>
#include <string.h>

#include "base/aside.h"
#include "base/error.h"
#include "base/sys.h"
#include "block/crypt/secret.h"
#include "daemon/file-ids.h"
#include "daemon/pools-int.h"

enum {
	FAREWELL_MS = 5000,
	PATIENCE_MS = 1500, /* for a path that leads to a server */
};

struct pools {
	struct pools_config config;
	GQueue works;     /* of struct work: under way */
	GPtrArray *shelf; /* of struct shelf: active pools */
	struct file_asker *asker;
	bool ending;
};

/* An active pool, as manage has it. */
struct shelf {
	struct storage storage;
	struct pools *pools;
	struct depot *depot; /* counted: work has it, too */
};

static struct shelf *shelf_of(struct storage *storage)
{
	return container_of(storage, struct shelf, storage);
}

static void depot_clear(void *data)
{
	struct depot *depot = data;

	storage_pool_free(depot->def);
	secret_free(depot->password);
	g_strfreev(depot->folders);
}

struct depot *depot_ref(struct depot *depot)
{
	return g_atomic_rc_box_acquire(depot);
}

void depot_unref(struct depot *depot)
{
	if (depot)
		g_atomic_rc_box_release_full(depot, depot_clear);
}

static struct depot *depot_new(const struct pools *pools, const struct depot_kind *kind,
			       const struct storage_pool *def)
{
	struct depot *depot = g_atomic_rc_box_new0(struct depot);
	g_autoptr(GPtrArray) folders = g_ptr_array_new();

	depot->kind = kind;
	depot->def = storage_pool_copy(def);
	depot->uid = pools->config.uid;
	depot->gid = pools->config.gid;
	depot->host = pools->config.host;
	for (unsigned i = 0; i < pools->shelf->len; i++) {
		const struct shelf *shelf = pools->shelf->pdata[i];

		if (shelf->depot->kind->files)
			g_ptr_array_add(folders, g_strdup(shelf->depot->def->target.path));
	}
	g_ptr_array_add(folders, NULL);
	depot->folders = (char **)g_ptr_array_steal(folders, NULL);
	return depot;
}

/* The same with the folders of now, for work that may open what an image names. */
static struct depot *depot_fresh(const struct shelf *shelf)
{
	struct depot *depot = depot_new(shelf->pools, shelf->depot->kind, shelf->depot->def);
	const struct secret *password = shelf->depot->password;

	if (password)
		depot->password = secret_new(password->id, password->bytes, password->len);
	return depot;
}

bool work_is_wanted(const struct vol_work *work, GError **error)
{
	if (!work || !atomic_load(&work->cancelled))
		return true;
	return error_set(error, SOCLE_ERROR_FAILED, "the operation was given up");
}

char *depot_path(const struct depot *depot, const char *name)
{
	return g_build_filename(depot->def->target.path, name, NULL);
}

/* == Kinds == */

static const struct depot_kind *const kinds[STORAGE_POOL_TYPE_COUNT] = {
	[STORAGE_POOL_DIR] = &depot_dir,     [STORAGE_POOL_FS] = &depot_fs,
	[STORAGE_POOL_NETFS] = &depot_netfs, [STORAGE_POOL_LOGICAL] = &depot_logical,
	[STORAGE_POOL_DISK] = &depot_disk,   [STORAGE_POOL_ISCSI_DIRECT] = &depot_iscsi_direct,
	[STORAGE_POOL_RBD] = &depot_rbd,
};

const struct depot_kind *depot_kind_of(enum storage_pool_type type, GError **error)
{
	if (kinds[type])
		return kinds[type];
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "storage pools of type %s are not supported; use dir, fs, netfs, logical, disk, "
		  "iscsi-direct or rbd",
		  storage_pool_type_names[type]);
	return NULL;
}

static bool supports(void *opaque, enum storage_pool_type type)
{
	(void)opaque;
	return kinds[type] != NULL;
}

/* == Work == */

struct work {
	GList link;
	struct pools *pools; /* main loop only */
	struct aside *aside;
	struct task *task;
	struct vol_work *cancel; /* borrowed of @arg, or NULL */
	GError *error;
	bool (*run)(void *arg, GError **error);
	void (*deliver)(void *arg);
	void (*free)(void *arg);
	void *arg;
};

static void work_run(void *data)
{
	struct work *work = data;

	(void)work->run(work->arg, &work->error);
}

static void work_free(void *data)
{
	struct work *work = data;

	work->free(work->arg);
	g_clear_error(&work->error);
	g_free(work);
}

/* The task's owner is told, and may begin something new. */
static void work_end(void *data)
{
	struct work *work = data;
	struct task *task = work->task;
	struct aside *aside = work->aside;
	g_autoptr(GError) error = g_steal_pointer(&work->error);

	g_queue_unlink(&work->pools->works, &work->link);
	if (!error && work->deliver)
		work->deliver(work->arg);
	aside_drop(aside);
	task_end(task, error);
}

static void refuse(struct task *task)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE,
		  "the daemon is being stopped; try again when it is back");
	task_end(task, error);
}

void work_start(struct pools *pools, struct task *task, struct vol_work *cancel,
		bool (*run)(void *arg, GError **error), void (*deliver)(void *arg),
		void (*free)(void *arg), void *arg)
{
	g_autoptr(GError) error = NULL;
	struct work *work;
	struct aside_work aside = {
		.name = "storage", .fn = work_run, .end = work_end, .free = work_free
	};

	if (pools->ending) {
		free(arg);
		refuse(task);
		return;
	}
	work = g_new(struct work, 1);
	*work = (struct work){ .pools = pools,
			       .task = task,
			       .cancel = cancel,
			       .run = run,
			       .deliver = deliver,
			       .free = free,
			       .arg = arg };
	work->link.data = work;
	aside.arg = work;
	work->aside = aside_start(&aside, &error);
	if (!work->aside) {
		work_free(work);
		task_end(task, error);
		return;
	}
	g_queue_push_tail_link(&pools->works, &work->link);
}

/* == What the calls of the seam need; each uses some of it == */

struct order {
	struct pools *pools;
	struct depot *depot, *source;
	struct vol_work *work;
	struct storage_vol *def;
	struct vol_create create;
	char *name;
	unsigned flags;
	uint64_t bytes;
	struct vol_open open;
	enum vol_wipe how;

	/* Results, and where they go. */
	struct storage **ret_storage;
	struct pool_usage usage, *ret_usage;
	GPtrArray *list, *ret_list; /* of names, or of sources */
	struct storage_vol *vol, **ret_vol;
	struct file_id id, *ret_id;
	struct vol_io *io, **ret_io;
};

static struct order *order_new(struct pools *pools, struct depot *depot, const char *name)
{
	struct order *order = g_new0(struct order, 1);

	order->pools = pools;
	order->depot = depot;
	order->name = g_strdup(name);
	return order;
}

static struct order *order_at(struct storage *storage, const char *name)
{
	const struct shelf *shelf = shelf_of(storage);

	return order_new(shelf->pools, depot_ref(shelf->depot), name);
}

static void order_free(void *data)
{
	struct order *order = data;

	depot_unref(order->depot);
	depot_unref(order->source);
	vol_work_unref(order->work);
	storage_vol_free(order->def);
	storage_vol_free(order->vol);
	if (order->list)
		g_ptr_array_unref(order->list);
	if (order->io)
		order->io->ops->free(order->io);
	g_free(order->name);
	g_free(order);
}

static void start_order(struct order *order, struct task *task,
			bool (*run)(void *arg, GError **error), void (*deliver)(void *arg))
{
	work_start(order->pools, task, order->work, run, deliver, order_free, order);
}

static void fail(struct task *task, GError *error)
{
	task_end(task, error);
	g_error_free(error);
}

/* An order of a definition, or NULL: the task has ended. */
static struct order *order_of(void *opaque, const struct storage_pool *def, struct task *task)
{
	struct pools *pools = opaque;
	GError *error = NULL;
	const struct depot_kind *kind = depot_kind_of(def->type, &error);

	if (kind && (!kind->available || kind->available(&error)))
		return order_new(pools, depot_new(pools, kind, def), NULL);
	fail(task, error);
	return NULL;
}

static bool cannot(const struct order *order, const char *what, GError **error)
{
	return error_set(error, SOCLE_ERROR_UNSUPPORTED, "storage pools of type %s cannot %s",
			 storage_pool_type_names[order->depot->def->type], what);
}

static bool run_build(void *arg, GError **error)
{
	const struct order *order = arg;

	if (!order->depot->kind->build)
		return cannot(order, "be built", error);
	return order->depot->kind->build(order->depot, order->flags, error);
}

static void build(void *opaque, const struct storage_pool *def, unsigned flags, struct task *task)
{
	struct order *order = order_of(opaque, def, task);

	if (!order)
		return;
	order->flags = flags;
	start_order(order, task, run_build, NULL);
}

static bool run_erase(void *arg, GError **error)
{
	const struct order *order = arg;

	if (!order->depot->kind->erase)
		return cannot(order, "be deleted", error);
	return order->depot->kind->erase(order->depot, order->flags, error);
}

static void erase(void *opaque, const struct storage_pool *def, unsigned flags, struct task *task)
{
	struct order *order = order_of(opaque, def, task);

	if (!order)
		return;
	order->flags = flags;
	start_order(order, task, run_erase, NULL);
}

static void free_source(void *data)
{
	storage_pool_free(data);
}

static bool run_find(void *arg, GError **error)
{
	struct order *order = arg;

	order->list = g_ptr_array_new_with_free_func(free_source);
	return order->depot->kind->find_sources(order->depot->def, order->list, error);
}

static void deliver_list(void *arg)
{
	struct order *order = arg;

	g_ptr_array_extend_and_steal(order->ret_list, g_steal_pointer(&order->list));
}

static void find_sources(void *opaque, enum storage_pool_type type, const struct storage_pool *like,
			 GPtrArray *list, struct task *task)
{
	struct storage_pool none = { .type = type };
	GError *error = NULL;
	struct order *order;

	if (!kinds[type] || !kinds[type]->find_sources) {
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "sources of storage pools of type %s cannot be looked for; name one in "
			  "<source>",
			  storage_pool_type_names[type]);
		fail(task, error);
		return;
	}
	if (like)
		none.source = like->source;
	order = order_of(opaque, &none, task);
	if (!order)
		return;
	order->ret_list = list;
	start_order(order, task, run_find, deliver_list);
}

/* == Start and stop == */

static bool run_start(void *arg, GError **error)
{
	const struct order *order = arg;

	if (!order->depot->kind->start(order->depot, order->flags, error))
		return false;
	depot_sweep(order->depot);
	return true;
}

static void deliver_start(void *arg)
{
	struct order *order = arg;
	struct shelf *shelf = g_new(struct shelf, 1);

	*shelf = (struct shelf){ .storage.ops = &pools_ops,
				 .pools = order->pools,
				 .depot = g_steal_pointer(&order->depot) };
	g_ptr_array_add(order->pools->shelf, shelf);
	*order->ret_storage = &shelf->storage;
}

static void start(void *opaque, const struct storage_pool *def, GBytes *password, unsigned flags,
		  struct storage **ret_storage, struct task *task)
{
	struct order *order = order_of(opaque, def, task);

	if (!order)
		return;
	order->flags = flags;
	order->ret_storage = ret_storage;
	if (password)
		order->depot->password = secret_new("pool", g_bytes_get_data(password, NULL),
						    g_bytes_get_size(password));
	start_order(order, task, run_start, deliver_start);
}

static bool run_stop(void *arg, GError **error)
{
	const struct order *order = arg;

	return !order->depot->kind->stop || order->depot->kind->stop(order->depot, error);
}

static void stop(struct storage *storage, struct task *task)
{
	start_order(order_at(storage, NULL), task, run_stop, NULL);
}

static void shelf_free(struct storage *storage)
{
	struct shelf *shelf = shelf_of(storage);

	g_ptr_array_remove_fast(shelf->pools->shelf, shelf);
	depot_unref(shelf->depot);
	g_free(shelf);
}

/* == Questions == */

static bool run_usage(void *arg, GError **error)
{
	struct order *order = arg;

	return order->depot->kind->usage(order->depot, &order->usage, error);
}

static void deliver_usage(void *arg)
{
	const struct order *order = arg;

	*order->ret_usage = order->usage;
}

static void usage(struct storage *storage, struct pool_usage *ret_usage, struct task *task)
{
	struct order *order = order_at(storage, NULL);

	order->ret_usage = ret_usage;
	start_order(order, task, run_usage, deliver_usage);
}

static bool run_list(void *arg, GError **error)
{
	struct order *order = arg;

	order->list = g_ptr_array_new_with_free_func(g_free);
	if (!order->depot->kind->list(order->depot, order->list, error))
		return false;
	for (unsigned i = order->list->len; i > 0; i--) {
		if (depot_is_part(order->list->pdata[i - 1]))
			g_ptr_array_remove_index(order->list, i - 1);
	}
	return true;
}

static void list(struct storage *storage, GPtrArray *names, struct task *task)
{
	struct order *order = order_at(storage, NULL);

	order->ret_list = names;
	start_order(order, task, run_list, deliver_list);
}

static struct storage_vol *look_at(const struct depot *depot, const char *name,
				   struct file_id *ret_id, GError **error)
{
	g_autofree char *path = depot_path(depot, name);
	autofd int fd = -1;
	struct stat st;
	int ret;

	if (depot->kind->look)
		return depot->kind->look(depot, name, error);
	fd = depot->kind->open(depot, name, O_RDONLY, error);
	if (fd < 0)
		return NULL;
	ret = sys_fstat(fd, &st);
	if (ret < 0) {
		error_sys(error, ret, "cannot look at volume '%s'", name);
		return NULL;
	}
	*ret_id = file_id_of(&st);
	return vol_look(fd, name, path, error);
}

static bool run_look(void *arg, GError **error)
{
	struct order *order = arg;

	order->vol = look_at(order->depot, order->name, &order->id, error);
	return order->vol != NULL;
}

static void deliver_look(void *arg)
{
	struct order *order = arg;

	*order->ret_vol = g_steal_pointer(&order->vol);
	*order->ret_id = order->id;
}

static void look(struct storage *storage, const char *name, struct storage_vol **ret_vol,
		 struct file_id *ret_id, struct task *task)
{
	struct order *order = order_at(storage, name);

	order->ret_vol = ret_vol;
	order->ret_id = ret_id;
	start_order(order, task, run_look, deliver_look);
}

static void identify(void *opaque, GPtrArray *paths, struct file_id *ret_ids, struct task *task)
{
	struct pools *pools = opaque;

	if (pools->ending)
		refuse(task);
	else
		file_asker_ask(pools->asker, paths, ret_ids, task);
}

static void deliver_io(void *arg)
{
	struct order *order = arg;

	*order->ret_io = g_steal_pointer(&order->io);
}

/* == Changes == */

static bool run_create(void *arg, GError **error)
{
	struct order *order = arg;
	const struct depot *depot = order->depot;
	autoptr(storage_vol) source = NULL;
	struct file_id id;
	autofd int fd = -1;
	bool own;

	if (depot->kind->files && order->create.ret_io) {
		order->io =
			vol_io_new_file(order->pools, depot, &order->create, order->work, error);
		return order->io != NULL;
	}
	if (depot->kind->files)
		return vol_file_create(depot, &order->create, order->source, order->work, error);
	if (!depot->kind->create)
		return cannot(order, "have new volumes", error);
	if (depot->kind->rename && order->create.ret_io) {
		order->io = depot_create_io(order->pools, order->depot, &order->create, order->work,
					    error);
		return order->io != NULL;
	}
	if (order->source) {
		source = look_at(order->source, order->name, &id, error);
		if (!source)
			return false;
		if (order->create.source_raw)
			storage_vol_take_raw(source);
		own = depot->kind->copies && !strcmp(order->source->def->name, depot->def->name);
		if (!own && order->source->kind->reach)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "volume '%s' is another host's, and is not copied out of "
					 "its pool at once; download it, and upload it",
					 order->name);
		if (!own)
			fd = order->source->kind->open(order->source, order->name, O_RDONLY, error);
		if (!own && fd < 0)
			return false;
	}
	return depot_create(depot, &order->create, source, fd, order->work, error);
}

static void create(struct storage *storage, const struct vol_create *what, struct vol_work *work,
		   struct task *task)
{
	struct order *order = order_new(shelf_of(storage)->pools, depot_fresh(shelf_of(storage)),
					what->source_name);

	order->work = vol_work_ref(work);
	order->def = storage_vol_copy(what->vol);
	order->create = (struct vol_create){ .vol = order->def,
					     .flags = what->flags,
					     .source_name = order->name,
					     .source_raw = what->source_raw,
					     .no_sync = what->no_sync,
					     .ret_io = what->ret_io };
	if (what->source)
		order->source = depot_fresh(shelf_of(what->source));
	order->ret_io = what->ret_io;
	start_order(order, task, run_create, what->ret_io ? deliver_io : NULL);
}

static bool wipe_bytes(const struct order *order, enum vol_wipe how, GError **error)
{
	return (order->depot->kind->reach ? vol_remote_wipe : vol_wipe_bytes)(
		order->depot, order->name, how, order->work, error);
}

static bool run_remove(void *arg, GError **error)
{
	const struct order *order = arg;
	bool all = order->flags & VOL_REMOVE_WITH_SNAPSHOTS;

	if (order->flags & VOL_REMOVE_ZEROED && !wipe_bytes(order, VOL_WIPE_ZERO, error))
		return false;
	if (!order->depot->kind->remove)
		return cannot(order, "lose volumes", error);
	return order->depot->kind->remove(order->depot, order->name, all, error);
}

static void remove_volume(struct storage *storage, const char *name, unsigned flags,
			  struct vol_work *work, struct task *task)
{
	struct order *order = order_at(storage, name);

	order->flags = flags;
	order->work = vol_work_ref(work);
	start_order(order, task, run_remove, NULL);
}

static bool run_restore(void *arg, GError **error)
{
	const struct order *order = arg;

	if (!order->depot->kind->restore)
		return cannot(order, "restore volumes", error);
	return order->depot->kind->restore(order->depot, order->name, error);
}

static void restore(struct storage *storage, const char *name, struct vol_work *work,
		    struct task *task)
{
	struct order *order = order_at(storage, name);

	order->work = vol_work_ref(work);
	start_order(order, task, run_restore, NULL);
}

/* What a client has asked for, in bytes; false: it makes no sense. */
static bool wanted_size(const struct order *order, uint64_t now, uint64_t *ret, GError **error)
{
	uint64_t n = order->bytes;
	bool shrink = order->flags & VOL_RESIZE_SHRINK;

	if (n > (uint64_t)INT64_MAX / 2)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the volume '%s' cannot have that many bytes", order->name);
	if (order->flags & VOL_RESIZE_DELTA && shrink && n > now)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the volume '%s' is smaller than what is to be taken off",
				 order->name);
	*ret = !(order->flags & VOL_RESIZE_DELTA) ? n : shrink ? now - n : now + n;
	if (*ret < now && !shrink)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Can't shrink capacity below current capacity unless shrink flag "
				 "explicitly specified");
	return true;
}

static bool run_resize(void *arg, GError **error)
{
	const struct order *order = arg;
	const struct depot *depot = order->depot;
	struct file_id id;
	autoptr(storage_vol) vol = look_at(depot, order->name, &id, error);
	uint64_t now, wanted = 0;

	if (vol && order->flags & VOL_RESIZE_RAW)
		storage_vol_take_raw(vol);
	now = vol ? (uint64_t)vol->capacity.value : 0;
	if (!vol || !wanted_size(order, now, &wanted, error))
		return false;
	if (depot->kind->files)
		return vol_file_resize(depot, order->name, wanted, order->flags, order->work,
				       error);
	if (!depot->kind->resize)
		return cannot(order, "resize volumes", error);
	return depot->kind->resize(depot, order->name, now, wanted, order->flags, order->work,
				   error);
}

static void resize(struct storage *storage, const char *name, uint64_t bytes, unsigned flags,
		   struct vol_work *work, struct task *task)
{
	struct order *order = order_at(storage, name);

	order->bytes = bytes;
	order->flags = flags;
	order->work = vol_work_ref(work);
	start_order(order, task, run_resize, NULL);
}

static bool run_wipe(void *arg, GError **error)
{
	const struct order *order = arg;

	return wipe_bytes(order, order->how, error);
}

static void wipe(struct storage *storage, const char *name, enum vol_wipe how,
		 struct vol_work *work, struct task *task)
{
	struct order *order = order_at(storage, name);

	order->how = how;
	order->work = vol_work_ref(work);
	start_order(order, task, run_wipe, NULL);
}

static bool run_open(void *arg, GError **error)
{
	struct order *order = arg;

	order->io = (order->depot->kind->reach ? vol_remote_io_new : vol_io_new)(
		order->pools, order->depot, order->name, order->name, &order->open, error);
	return order->io != NULL;
}

static void open_volume(struct storage *storage, const char *name, const struct vol_open *how,
			struct vol_io **ret_io, struct task *task)
{
	struct order *order = order_at(storage, name);

	order->open = *how;
	order->ret_io = ret_io;
	start_order(order, task, run_open, deliver_io);
}

/* == Life == */

struct pools *pools_new(const struct pools_config *config)
{
	struct pools *pools = g_new0(struct pools, 1);

	pools->config = *config;
	pools->shelf = g_ptr_array_new();
	pools->asker = file_asker_new(config->patience_ms ? config->patience_ms : PATIENCE_MS);
	return pools;
}

void pools_finish(struct pools *pools)
{
	uint64_t deadline = sys_monotonic_ns() + (uint64_t)FAREWELL_MS * 1000000;

	if (!pools)
		return;
	pools->ending = true;
	for (GList *l = pools->works.head; l; l = l->next) {
		const struct work *work = l->data;

		if (work->cancel)
			atomic_store(&work->cancel->cancelled, true);
	}
	while (pools->works.head) {
		struct work *work = pools->works.head->data;
		struct task *task = work->task;

		if (aside_wait(work->aside, deadline)) {
			work_end(work);
			continue;
		}
		g_queue_unlink(&pools->works, &work->link);
		aside_drop(work->aside);
		refuse(task);
	}
	file_asker_finish(pools->asker, refuse);
}

void pools_free(struct pools *pools)
{
	if (!pools)
		return;
	pools_finish(pools);
	file_asker_free(pools->asker);
	g_ptr_array_unref(pools->shelf);
	g_free(pools);
}

const struct pool_ops pools_ops = {
	.supports = supports,
	.build = build,
	.erase = erase,
	.find_sources = find_sources,
	.identify = identify,
	.start = start,
	.stop = stop,
	.free = shelf_free,
	.usage = usage,
	.list = list,
	.look = look,
	.create = create,
	.remove = remove_volume,
	.restore = restore,
	.resize = resize,
	.wipe = wipe,
	.open = open_volume,
};
