/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-keep.c - what is kept of storage pools over restarts of the daemon; the files are as in keep.c
 */
#include <string.h>

#include "base/error.h"
#include "manage/keep-int.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"

static void save(struct pool *pool, enum store_kind kind, const char *text, struct task *task)
{
	const struct node_config *config = &pool->node->config;

	if (config->store)
		config->store->save(config->store_opaque, kind, pool->uuid_text, text, task);
	else
		task_end(task, NULL);
}

static void forget(struct pool *pool, enum store_kind kind, struct task *task)
{
	const struct node_config *config = &pool->node->config;

	if (config->store)
		config->store->remove(config->store_opaque, kind, pool->uuid_text, task);
	else
		task_end(task, NULL);
}

void pool_keep_config(struct pool *pool, struct task *task)
{
	g_autofree char *xml = NULL, *text = NULL;

	/* Without a store no text is needed. */
	if (!pool->node->config.store) {
		task_end(task, NULL);
		return;
	}
	xml = storage_pool_format(pool->config);
	text = g_strdup_printf("%ssocle pool\nautostart %s\n%s%s", keep_head_start,
			       pool->autostart ? "yes" : "no", keep_head_end, xml);
	save(pool, STORE_POOL, text, task);
}

void pool_keep_no_config(struct pool *pool, struct task *task)
{
	forget(pool, STORE_POOL, task);
}

/* == That a pool is active: the last state wins, one write at a time == */

static void write_status(struct pool *pool)
{
	g_autofree char *xml = NULL, *text = NULL;

	if (!pool_active(pool)) {
		forget(pool, STORE_POOL_STATUS, &pool->status_task);
		return;
	}
	xml = storage_pool_format(pool->live);
	text = g_strdup_printf("%ssocle pool-status\n%s%s", keep_head_start, keep_head_end, xml);
	save(pool, STORE_POOL_STATUS, text, &pool->status_task);
}

static void status_written(struct task *task, const GError *error)
{
	struct pool *pool = container_of(task, struct pool, status_task);

	if (error)
		g_warning("storage pool '%s': its state cannot be kept: %s", pool->name,
			  error->message);
	if (pool->status_again) {
		pool->status_again = false;
		write_status(pool);
		return;
	}
	pool->status_busy = false;
	object_unref(&pool->object);
}

void pool_keep_status(struct pool *pool)
{
	if (!pool->node->config.store)
		return;
	if (pool->status_busy) {
		pool->status_again = true;
		return;
	}
	pool->status_busy = true;
	object_ref(&pool->object);
	pool->status_task.end = status_written;
	write_status(pool);
}

/* == What was kept == */

static struct storage_pool *load_xml(const char *key, const char *xml, GError **error)
{
	autoptr(storage_pool) def = storage_pool_parse(xml, strlen(xml), 0, NULL, error);

	if (!def)
		return NULL;
	storage_pool_fill(def);
	if (!storage_pool_check(def, error))
		return NULL;
	if (g_ascii_strcasecmp(def->uuid, key) != 0) {
		error_set(error, SOCLE_ERROR_CORRUPT,
			  "its <uuid> is not the one that it is kept under");
		return NULL;
	}
	return g_steal_pointer(&def);
}

static bool load_config(struct node *node, const char *text, struct storage_pool *def,
			GError **error)
{
	struct pool *pool;

	if (pool_by_name(node, def->name)) {
		error_set(error, SOCLE_ERROR_EXISTS,
			  "there is a storage pool '%s' already; give one of them another name",
			  def->name);
		storage_pool_free(def);
		return false;
	}
	pool = pool_new(node, def, NULL);
	pool->autostart = keep_head_yes(text, "autostart");
	return true;
}

static bool load_status(struct node *node, const char *key, struct storage_pool *def,
			GError **error)
{
	struct pool *pool = pool_by_uuid_text(node, key);

	if (!pool && pool_by_name(node, def->name)) {
		error_set(error, SOCLE_ERROR_EXISTS, "there is another storage pool '%s'",
			  def->name);
		storage_pool_free(def);
		return false;
	}
	if (pool)
		pool->live = def;
	else
		(void)pool_new(node, NULL, def);
	return true;
}

bool pool_load(struct node *node, enum store_kind kind, const char *key, const char *text,
	       GError **error)
{
	bool status = kind == STORE_POOL_STATUS;
	const char *xml = keep_check_head(text, status ? "pool-status" : "pool", error);
	struct storage_pool *def = xml ? load_xml(key, xml, error) : NULL;

	if (!def)
		return false;
	return status ? load_status(node, key, def, error) : load_config(node, text, def, error);
}
