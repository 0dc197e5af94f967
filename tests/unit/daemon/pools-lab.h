/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools-lab.h - for tests: storage pools, the first of which is a folder; each piece of work is waited for
 */
#ifndef TESTS_DAEMON_POOLS_LAB_H
#define TESTS_DAEMON_POOLS_LAB_H

#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/pools.h"

enum {
	PATIENCE_MS = 20
};

struct lab {
	char *dir, *folder;
	struct pools *pools;
	struct storage *storage;
};

struct wait {
	struct task task;
	bool ended;
	GError *error;
};

static inline void wait_ended(struct task *task, const GError *error)
{
	struct wait *wait = container_of(task, struct wait, task);

	g_assert_false(wait->ended);
	wait->ended = true;
	wait->error = error ? g_error_copy(error) : NULL;
}

static inline void wait_init(struct wait *wait)
{
	*wait = (struct wait){ .task.end = wait_ended };
}

/* NULL: it went well. */
static inline GError *wait_end(struct wait *wait)
{
	while (!wait->ended)
		g_main_context_iteration(NULL, TRUE);
	return wait->error;
}

static inline struct storage_pool *parse_pool(const char *xml)
{
	struct storage_pool *def =
		storage_pool_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, NULL);

	g_assert_nonnull(def);
	storage_pool_fill(def);
	g_assert_true(storage_pool_check(def, NULL));
	return def;
}

static inline GError *start(struct lab *lab, const struct storage_pool *def)
{
	struct wait wait;

	wait_init(&wait);
	pools_ops.start(lab->pools, def, NULL, 0, &lab->storage, &wait.task);
	return wait_end(&wait);
}

static inline struct lab begin(void)
{
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *xml = NULL;
	autoptr(storage_pool) def = NULL;
	struct wait wait;

	lab.folder = g_build_filename(lab.dir, "p", NULL);
	xml = g_strdup_printf(
		"<pool type='dir'><name>p</name><target><path>%s</path></target></pool>",
		lab.folder);
	def = parse_pool(xml);
	lab.pools = pools_new(&(struct pools_config){ .patience_ms = PATIENCE_MS });
	wait_init(&wait);
	pools_ops.build(lab.pools, def, 0, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_assert_no_error(start(&lab, def));
	return lab;
}

static inline void end(struct lab *lab)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", lab->dir);

	if (lab->storage)
		lab->storage->ops->free(lab->storage);
	pools_free(lab->pools);
	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	g_free(lab->dir);
	g_free(lab->folder);
}

static inline GError *create(struct lab *lab, const char *xml, const char *source,
			     struct vol_work *work)
{
	autoptr(storage_vol) vol =
		storage_vol_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, NULL);
	struct vol_create what = { .vol = vol,
				   .source = source ? lab->storage : NULL,
				   .source_name = source };
	struct vol_work *own = work ? vol_work_ref(work) : vol_work_new();
	struct wait wait;

	g_assert_nonnull(vol);
	wait_init(&wait);
	pools_ops.create(lab->storage, &what, own, &wait.task);
	vol_work_unref(own);
	return wait_end(&wait);
}

static inline struct storage_vol *look_file(struct lab *lab, const char *name,
					    struct file_id *ret_id, GError **ret_error)
{
	struct storage_vol *vol = NULL;
	struct wait wait;

	wait_init(&wait);
	pools_ops.look(lab->storage, name, &vol, ret_id, &wait.task);
	*ret_error = wait_end(&wait);
	return vol;
}

static inline struct storage_vol *look(struct lab *lab, const char *name, GError **ret_error)
{
	struct file_id id;

	return look_file(lab, name, &id, ret_error);
}

static inline unsigned count_names(const char *folder)
{
	GDir *dir = g_dir_open(folder, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

static inline unsigned count_files(const struct lab *lab)
{
	return count_names(lab->folder);
}

static inline char *path_of(const struct lab *lab, const char *name)
{
	return g_build_filename(lab->folder, name, NULL);
}

static inline void put(const struct lab *lab, const char *name, const void *bytes, size_t len)
{
	g_autofree char *path = path_of(lab, name);

	g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}
static inline bool has_file(const struct lab *lab, const char *name)
{
	g_autofree char *path = path_of(lab, name);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static inline void make(struct lab *lab, const char *name)
{
	g_autofree char *xml =
		g_strdup_printf("<volume><name>%s</name><capacity>1</capacity></volume>", name);

	g_assert_no_error(create(lab, xml, NULL, NULL));
}

#endif
