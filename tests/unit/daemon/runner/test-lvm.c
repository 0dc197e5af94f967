/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lvm.c - snapshots of a machine's logical volumes, with programs of lvm2 that are fakes
 *
 * Their volumes are files of a folder, in which the volume's tag stands.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "daemon/runner-int.h"
#include "model/snapshot.h"
#include "model/support.h"

/* What a machine does that is off. */
void runner_changed(struct runner *runner)
{
	(void)runner;
	g_assert_not_reached();
}

void runner_pause(struct machine *machine, struct task *task)
{
	(void)machine;
	(void)task;
	g_assert_not_reached();
}

void runner_resume(struct machine *machine, struct task *task)
{
	(void)machine;
	(void)task;
	g_assert_not_reached();
}

void machine_keep(struct dom *dom, struct task *task)
{
	(void)dom;
	(void)task;
	g_assert_not_reached();
}

static const struct support host = { .emulator = "/usr/bin/socle-vm" };

static const char lvs[] =
	"case $* in\n"
	"*vg_name*) case $last in */gone) exit 5; esac; echo \"vg|${last##*/}\" ;;\n"
	"*) cd $volumes; for v in *; do echo \"$v|4194304|-wi-a-----||||\"; done\n"
	"esac\n";
static const char vgs[] = "echo '1000000000|1000000000'\n";
static const char lvcreate[] = "while [ $# -gt 1 ]; do\n"
			       "case $1 in --name) name=$2 ;; --addtag) tag=$2; esac; shift; done\n"
			       "[ -e $volumes/$name ] && { echo exists >&2; exit 5; }\n"
			       "echo \"$tag\" >$volumes/$name\n";
static const char lvremove[] =
	"while [ $1 != --select ]; do shift; done\n"
	"name=${2#*'\"'}; name=${name%%'\"'*}; tag=${2%'\"'}; tag=${tag##*'\"'}\n"
	"[ \"$(cat $volumes/$name)\" != \"$tag\" ] || rm $volumes/$name\n";

struct lab {
	struct task task;
	struct dom dom;
	char *dir;
	bool ended;
	GError *error;
};

static void put_program(const struct lab *lab, const char *name, const char *script)
{
	g_autofree char *path = g_build_filename(lab->dir, name, NULL);
	g_autofree char *text = g_strdup_printf(
		"#!/bin/sh\nvolumes=%s/volumes; for last; do :; done\n%s", lab->dir, script);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

static char *volume_path(const struct lab *lab, const char *name)
{
	return g_build_filename(lab->dir, "volumes", name, NULL);
}

static void put_volume(const struct lab *lab, const char *name, const char *tag)
{
	g_autofree char *path = volume_path(lab, name);

	g_assert_true(g_file_set_contents(path, tag, -1, NULL));
}

static bool has_volume(const struct lab *lab, const char *name)
{
	g_autofree char *path = volume_path(lab, name);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static struct domain *machine_on(const char *first, const char *second)
{
	g_autofree char *xml = g_strdup_printf(
		"<domain type='qemu'><name>a</name><memory>16384</memory><os><type>hvm</type></os>"
		"<devices><disk type='block'><driver type='raw'/><source dev='/dev/vg/%s'/>"
		"<target dev='vda'/></disk><disk type='block'><driver type='raw'/>"
		"<source dev='/dev/vg/%s'/><target dev='vdb'/></disk></devices></domain>",
		first, second);
	struct domain *domain = domain_parse(xml, strlen(xml), 0, NULL, NULL);

	g_assert_nonnull(domain);
	domain_fill(domain, &host);
	return domain;
}

static void on_end(struct task *task, const GError *error)
{
	struct lab *lab = container_of(task, struct lab, task);

	lab->ended = true;
	lab->error = error ? g_error_copy(error) : NULL;
}

static void begin(struct lab *lab, const char *first, const char *second)
{
	g_autofree char *volumes = NULL, *path = NULL;

	*lab = (struct lab){ .task.end = on_end, .dir = g_dir_make_tmp("test-lvm-XXXXXX", NULL) };
	volumes = g_build_filename(lab->dir, "volumes", NULL);
	g_assert_cmpint(g_mkdir(volumes, 0755), ==, 0);
	put_program(lab, "lvs", lvs);
	put_program(lab, "vgs", vgs);
	put_program(lab, "lvcreate", lvcreate);
	put_program(lab, "lvremove", lvremove);
	path = g_strdup_printf("%s:/usr/bin:/bin", lab->dir);
	g_setenv("PATH", path, TRUE);
	put_volume(lab, "a", "");
	put_volume(lab, "b", "");
	g_strlcpy(lab->dom.uuid_text, "00000000-0000-4000-8000-00000000000a",
		  sizeof(lab->dom.uuid_text));
	lab->dom.config = machine_on(first, second);
}

static void end(struct lab *lab)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", lab->dir);

	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	domain_free(lab->dom.config);
	g_free(lab->dir);
}

/* Snapshot "s" of a time. */
static struct snapshot *snapshot_at(const struct lab *lab, int64_t now)
{
	static const char xml[] = "<domainsnapshot><name>s</name></domainsnapshot>";
	struct snapshot_request request = { .state = SNAPSHOT_SHUTOFF, .now = now };
	struct snapshot *snapshot = snapshot_parse(xml, strlen(xml), 0, NULL, NULL);

	g_assert_nonnull(snapshot);
	snapshot_fill(snapshot, lab->dom.config, &request);
	return snapshot;
}

static GError *act(struct lab *lab,
		   void (*fn)(struct dom *dom, const struct snapshot *snapshot, struct task *task),
		   const struct snapshot *snapshot)
{
	lab->ended = false;
	fn(&lab->dom, snapshot, &lab->task);
	while (!lab->ended)
		g_main_context_iteration(NULL, TRUE);
	return g_steal_pointer(&lab->error);
}

/* What a daemon that was killed has left of a snapshot goes; what else has such a name stays. */
static void test_undo(void)
{
	struct lab lab;
	autoptr(snapshot) snapshot = NULL;
	autoptr(snapshot) other = NULL;

	begin(&lab, "a", "b");
	snapshot = snapshot_at(&lab, 1000);
	other = snapshot_at(&lab, 1001);
	/* The second one was not made. */
	g_assert_no_error(act(&lab, runner_lvm_offline_snapshot, snapshot));
	g_assert_true(has_volume(&lab, "a.s") && has_volume(&lab, "b.s"));
	put_volume(&lab, "b.s", "somebody");
	g_assert_no_error(act(&lab, runner_snapshot_undo, other));
	g_assert_true(has_volume(&lab, "a.s") && has_volume(&lab, "b.s"));
	g_assert_no_error(act(&lab, runner_snapshot_undo, snapshot));
	g_assert_true(!has_volume(&lab, "a.s") && has_volume(&lab, "b.s"));
	/* There is nothing left of it. */
	g_assert_no_error(act(&lab, runner_snapshot_undo, snapshot));
	g_assert_true(has_volume(&lab, "b.s") && has_volume(&lab, "a") && has_volume(&lab, "b"));
	end(&lab);
}

/* A disk of which nothing can be known does not keep what there is of others. */
static void test_gone(void)
{
	struct lab lab;
	autoptr(snapshot) snapshot = NULL;
	g_autoptr(GError) error = NULL;

	begin(&lab, "gone", "b");
	snapshot = snapshot_at(&lab, 1000);
	put_volume(&lab, "b.s", "socle.00000000-0000-4000-8000-00000000000a.1000");
	error = act(&lab, runner_snapshot_undo, snapshot);
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, "/dev/vg/gone"));
	g_assert_false(has_volume(&lab, "b.s"));
	end(&lab);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runner/lvm/undo", test_undo);
	g_test_add_func("/runner/lvm/gone", test_gone);
	return g_test_run();
}
