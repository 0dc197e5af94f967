/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-lab.c - the machines of socled without socled: test-runner.py tells it what to do
 *
 * One domain, whose struct is made by hand. Each line of standard input is a command; "ok", with what
 * it has to say, or "error" with a sentence answers it, and "event" lines come in between.
 */
#include <glib-unix.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/runner.h"
#include "manage/dom.h"
#include "manage/node.h"
#include "manage/secret.h"
#include "model/domain.h"
#include "model/snapshot.h"

static struct runner_config config;
static struct dom dom = { .id = -1 };
static GMainLoop *loop;
static const struct support support = { .emulator = "socle-vm", .bios = true, .bridges = true };

void *node_machines_opaque(const struct node *node)
{
	(void)node;
	return &config;
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static uint64_t number(const char *text)
{
	return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* == What a machine tells == */

static void forget_machine(void)
{
	dom.machine = NULL;
	dom.state = DOM_NOSTATE;
	domain_free(dom.live);
	dom.live = NULL;
}

void machine_ended(struct dom *d, enum machine_end end, const char *why)
{
	struct machine *machine = d->machine;

	d->machine = NULL;
	machine->ops->free(machine);
	forget_machine();
	say("event ended %d %s", (int)end, why ? why : "");
}

void machine_paused(struct dom *d, int reason)
{
	/* As the room manage has it: what is so already is nothing new. */
	if (d->state == DOM_PAUSED)
		return;
	d->state = DOM_PAUSED;
	say("event paused %d", reason);
}

void machine_resumed(struct dom *d)
{
	if (d->state == DOM_RUNNING)
		return;
	d->state = DOM_RUNNING;
	say("event resumed");
}

GBytes *node_password(const struct node *node, const struct auth *auth, bool ceph, const char *of,
		      GError **error)
{
	(void)node;
	(void)ceph;
	(void)auth;
	error_set(error, SOCLE_ERROR_NOT_FOUND, "%s needs a secret, and there are none here", of);
	return NULL;
}

void machine_rebooted(struct dom *d)
{
	(void)d;
	say("event rebooted");
}

void machine_shutting_down(struct dom *d)
{
	(void)d;
	say("event shutting-down");
}

void machine_balloon_changed(struct dom *d, uint64_t kib)
{
	(void)d;
	say("event balloon %llu", (unsigned long long)kib);
}

void machine_device_removed(struct dom *d, const char *alias)
{
	struct domain_devices *devices = &d->live->devices;

	say("event removed %s", alias);
	/* Disks are all that is unplugged here. */
	for (unsigned i = 0; i < devices->disk_count; i++) {
		if (!g_strcmp0(devices->disks[i].info.alias.name, alias))
			devices->disks[i].info.fate = FATE_LEFT_OUT;
	}
}

void machine_tray_moved(struct dom *d, const char *alias, bool open)
{
	(void)d;
	say("event tray %s %s", alias, open ? "open" : "closed");
}

void machine_image_changed(struct dom *d, unsigned disk, const char *old)
{
	(void)d;
	(void)disk;
	(void)old;
}

void machine_monitor_event(struct dom *d, const char *event, const char *details)
{
	(void)d;
	(void)event;
	(void)details;
}

void machine_io_error(struct dom *d, const char *alias, const char *path, int action,
		      const char *reason)
{
	(void)d;
	say("event io-error %s %s %d %s", alias, path, action, reason);
}

void machine_block_threshold(struct dom *d, unsigned disk, uint64_t threshold, uint64_t excess)
{
	(void)d;
	say("event threshold %u %" PRIu64 " %" PRIu64, disk, threshold, excess);
}

void machine_watchdog(struct dom *d, int action)
{
	(void)d;
	say("event watchdog %d", action);
}

void machine_block_job(struct dom *d, unsigned disk, enum machine_block_job type, int status)
{
	const struct domain_disk *of = &d->live->devices.disks[disk];

	say("event job %u %d %d %s %s", disk, (int)type, status, disk_path(of), of->driver.type);
}

void machine_keep(struct dom *d, struct task *task)
{
	machine_changed(d);
	task_end(task, NULL);
}

void machine_changed(struct dom *d)
{
	g_autofree char *state = d->machine ? d->machine->ops->state(d->machine) : NULL;

	say("event changed %s", state ? state : "");
}

/* == Commands == */

static void ended(struct task *task, const GError *error)
{
	if (error)
		say("error %s", error->message);
	else
		say("ok");
	g_free(task);
}

static struct task *task_new(void (*end)(struct task *task, const GError *error))
{
	struct task *task = g_new(struct task, 1);

	task->end = end;
	return task;
}

static void begun(struct task *task, const GError *error)
{
	if (error)
		forget_machine();
	ended(task, error);
}

static void destroyed(struct task *task, const GError *error)
{
	struct machine *machine = dom.machine;

	if (!error && machine) {
		dom.machine = NULL;
		machine->ops->free(machine);
		forget_machine();
	}
	ended(task, error);
}

static struct domain *read_domain(const char *path, GError **error)
{
	g_autofree char *xml = NULL;
	autoptr(domain) domain = NULL;
	gsize len;

	if (!g_file_get_contents(path, &xml, &len, error))
		return NULL;
	domain = domain_parse(xml, len, DOMAIN_PARSE_STRICT, NULL, error);
	if (!domain)
		return NULL;
	domain_fill(domain, &support);
	if (!domain_check(domain, &support, DOMAIN_CHECK_START, NULL, error))
		return NULL;
	return g_steal_pointer(&domain);
}

static struct domain *read_device(const char *path, GError **error)
{
	g_autofree char *xml = NULL;
	autoptr(domain) device = NULL;
	gsize len;

	if (!g_file_get_contents(path, &xml, &len, error))
		return NULL;
	device = domain_parse_device(xml, len, DOMAIN_PARSE_STRICT, NULL, error);
	if (!device)
		return NULL;
	domain_fill_device(device, dom.live, &support);
	if (!domain_check_device(device, dom.live, &support, 0, NULL, error))
		return NULL;
	return g_steal_pointer(&device);
}

/* "start FILE [paused]", "find FILE STATE" */
static void run_begin(char **words)
{
	const bool find = !strcmp(words[0], "find");
	g_autoptr(GError) error = NULL;
	struct machine *machine;

	dom.live = read_domain(words[1], &error);
	if (!dom.live) {
		say("error %s", error->message);
		return;
	}
	g_free(dom.name);
	dom.name = g_strdup(dom.live->name);
	g_strlcpy(dom.uuid_text, dom.live->uuid, sizeof(dom.uuid_text));
	machine = find ? vm_machine_ops.find(&dom, words[2], task_new(begun))
		       : vm_machine_ops.start(&dom, words[2] ? MACHINE_START_PAUSED : 0,
					      task_new(begun));
	if (dom.live)
		dom.machine = machine;
}

struct asking {
	struct task task;
	struct machine_stats stats;
	struct machine_block_job_info info;
	char *answer;
};

static void queried(struct task *task, const GError *error)
{
	struct asking *asking = container_of(task, struct asking, task);
	struct machine_stats *s = &asking->stats;
	g_autoptr(GString) text = g_string_new(NULL);

	(void)error;
	g_string_append_printf(text, "valid=%u cpu=%llu rss=%llu vcpus=%u", s->valid,
			       (unsigned long long)s->cpu_ns, (unsigned long long)s->rss_kib,
			       s->vcpu_count);
	for (unsigned i = 0; i < s->disk_count; i++)
		g_string_append_printf(text, " wr%u=%llu size%u=%llu", i,
				       (unsigned long long)s->disks[i].wr_req, i,
				       (unsigned long long)s->disks[i].capacity);
	say("ok %s", text->str);
	g_free(s->disks);
	g_free(s->cards);
	g_free(s->vcpus);
	g_free(asking);
}

static void run_query(char **words)
{
	struct asking *asking = g_new0(struct asking, 1);

	(void)words;
	asking->task.end = queried;
	dom.machine->ops->query(dom.machine, ~0u, &asking->stats, &asking->task);
}

static void job_told(struct task *task, const GError *error)
{
	struct asking *asking = container_of(task, struct asking, task);

	if (error)
		say("error %s", error->message);
	else
		say("ok type=%d ready=%d end=%llu", (int)asking->info.type, asking->info.ready,
		    (unsigned long long)asking->info.end);
	g_free(asking);
}

static void run_info(char **words)
{
	struct asking *asking = g_new0(struct asking, 1);

	asking->task.end = job_told;
	dom.machine->ops->block_job_query(dom.machine, (unsigned)number(words[1]), &asking->info,
					  &asking->task);
}

static void answered(struct task *task, const GError *error)
{
	struct asking *asking = container_of(task, struct asking, task);

	if (error)
		say("error %s", error->message);
	else
		say("ok %s", asking->answer);
	g_free(asking->answer);
	g_free(asking);
}

static void run_ask(char **words)
{
	struct asking *asking = g_new0(struct asking, 1);

	asking->task.end = answered;
	if (!strcmp(words[0], "agent"))
		dom.machine->ops->agent(dom.machine, words[1], &asking->answer, &asking->task);
	else
		dom.machine->ops->monitor(dom.machine, words[1], &asking->answer, &asking->task);
}

static struct domain *plugged;

static void was_plugged(struct task *task, const GError *error)
{
	struct domain_devices *to = &dom.live->devices, *from = &plugged->devices;

	if (!error && from->disk_count) {
		to->disks = g_renew(struct domain_disk, to->disks, to->disk_count + 1);
		to->disks[to->disk_count++] = from->disks[0];
		from->disk_count = 0;
		g_clear_pointer(&from->disks, g_free);
	}
	if (!error && from->interface_count) {
		to->interfaces =
			g_renew(struct domain_interface, to->interfaces, to->interface_count + 1);
		to->interfaces[to->interface_count++] = from->interfaces[0];
		from->interface_count = 0;
		g_clear_pointer(&from->interfaces, g_free);
	}
	domain_free(plugged);
	ended(task, error);
}

static void run_plug(char **words)
{
	g_autoptr(GError) error = NULL;

	plugged = read_device(words[1], &error);
	if (!plugged) {
		say("error %s", error->message);
		return;
	}
	dom.machine->ops->plug(dom.machine, plugged, task_new(was_plugged));
}

/* "job TYPE DISK DEST" */
static void run_job(char **words)
{
	const struct machine_block_job_spec spec = {
		.type = (enum machine_block_job)number(words[1]),
		.disk = (unsigned)number(words[2]),
		.dest = words[3],
		.dest_type = words[3] ? "qcow2" : NULL,
	};

	dom.machine->ops->block_job_start(dom.machine, &spec, task_new(ended));
}

static void run_abort(char **words)
{
	dom.machine->ops->block_job_abort(dom.machine, (unsigned)number(words[1]), words[2] != NULL,
					  task_new(ended));
}

static struct snapshot *saved;

static void was_saved(struct task *task, const GError *error)
{
	/* As the room manage does. */
	for (unsigned i = 0; !error && dom.live && i < dom.live->devices.disk_count; i++) {
		struct domain_disk *disk = &dom.live->devices.disks[i];

		if (saved->disks.list[i].where != SNAPSHOT_EXTERNAL)
			continue;
		g_free(disk->source.file);
		g_free(disk->driver.type);
		disk->source.file = g_strdup(saved->disks.list[i].source.file);
		disk->driver.type = g_strdup("qcow2");
	}
	snapshot_free(saved);
	ended(task, error);
}

/* "snapshot NAME", "offline FILE NAME" */
static void run_snapshot(char **words)
{
	const bool offline = !strcmp(words[0], "offline");
	g_autofree char *xml = g_strdup_printf("<domainsnapshot><name>%s</name></domainsnapshot>",
					       words[offline ? 2 : 1]);
	const struct snapshot_request request = {
		.state = offline ? SNAPSHOT_SHUTOFF : SNAPSHOT_DISK_ONLY,
		.now = 1,
		.disk_only = true,
	};
	g_autoptr(GError) error = NULL;

	if (offline)
		domain_free(dom.config);
	if (offline)
		dom.config = read_domain(words[1], &error);
	saved = snapshot_parse(xml, strlen(xml), 0, NULL, &error);
	snapshot_fill(saved, offline ? dom.config : dom.live, &request);
	if (offline)
		vm_machine_ops.offline_snapshot(&dom, saved, task_new(was_saved));
	else
		dom.machine->ops->snapshot(dom.machine, saved, task_new(was_saved));
}

/* "console ALIAS": the descriptor, which the reader of /proc finds */
static void run_console(char **words)
{
	g_autoptr(GError) error = NULL;
	int fd = dom.machine->ops->console(dom.machine, words[1], &error);

	if (fd < 0)
		say("error %s", error->message);
	else
		say("ok %d", fd);
}

static void run_plain(char **words)
{
	const struct machine_ops *ops = dom.machine->ops;
	struct machine *machine = dom.machine;
	const char *word = words[0];

	if (!strcmp(word, "destroy"))
		ops->destroy(machine, words[1] != NULL, task_new(destroyed));
	else if (!strcmp(word, "pause"))
		ops->pause(machine, task_new(ended));
	else if (!strcmp(word, "resume"))
		ops->resume(machine, task_new(ended));
	else if (!strcmp(word, "shutdown"))
		ops->shutdown(machine, MACHINE_SHUTDOWN_ANY, task_new(ended));
	else if (!strcmp(word, "reset"))
		ops->reset(machine, task_new(ended));
	else if (!strcmp(word, "memory"))
		ops->set_memory(machine, number(words[1]), task_new(ended));
	else if (!strcmp(word, "unplug"))
		ops->unplug(machine, words[1], task_new(ended));
	else if (!strcmp(word, "resize"))
		ops->block_resize(machine, (unsigned)number(words[1]), number(words[2]),
				  task_new(ended));
	else
		say("error there is no command '%s'", word);
}

static void run_state(char **words)
{
	g_autofree char *state = dom.machine->ops->state(dom.machine);

	(void)words;
	say("ok %s", state);
}

static void run_xml(char **words)
{
	g_autofree char *xml = domain_format_devices(dom.live, 0);

	(void)words;
	g_strdelimit(xml, "\n", ' ');
	say("ok %s", xml);
}

static const struct {
	const char *word;
	int words; /* at most; the last one has the rest of the line */
	void (*run)(char **words);
} commands[] = {
	{ "start", 3, run_begin }, { "find", 3, run_begin },        { "query", 1, run_query },
	{ "info", 2, run_info },   { "agent", 2, run_ask },         { "monitor", 2, run_ask },
	{ "plug", 2, run_plug },   { "job", 4, run_job },           { "abort", 3, run_abort },
	{ "state", 1, run_state }, { "snapshot", 2, run_snapshot }, { "offline", 3, run_snapshot },
	{ "xml", 1, run_xml },     { "console", 2, run_console },   { "", 3, run_plain },
};

static void run_line(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const size_t len = strlen(commands[i].word);
		g_auto(GStrv) words = NULL;

		if (strncmp(line, commands[i].word, len) != 0 ||
		    (len && line[len] && line[len] != ' '))
			continue;
		words = g_strsplit(line, " ", commands[i].words);
		if (!dom.machine && commands[i].run != run_begin && commands[i].run != run_snapshot)
			say("error the machine is off");
		else
			commands[i].run(words);
		return;
	}
}

static gboolean on_line(GIOChannel *channel, GIOCondition condition, gpointer opaque)
{
	g_autofree char *line = NULL;

	(void)condition;
	(void)opaque;
	if (g_io_channel_read_line(channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) {
		g_main_loop_quit(loop);
		return G_SOURCE_REMOVE;
	}
	run_line(g_strchomp(line));
	return G_SOURCE_CONTINUE;
}

/* runner-lab SOCLE-VM FOLDER */
int main(int argc, char **argv)
{
	g_autofree char *run_dir = NULL, *log_dir = NULL;
	GIOChannel *channel;

	if (argc != 3)
		return 1;
	run_dir = g_build_filename(argv[2], "run", NULL);
	log_dir = g_build_filename(argv[2], "log", NULL);
	config = (struct runner_config){
		.program = argv[1],
		.run_dir = run_dir,
		.log_dir = log_dir,
		.engine = "emu",
	};
	if (g_getenv("LAB_START_MS"))
		config.start_ms = (unsigned)number(g_getenv("LAB_START_MS"));
	loop = g_main_loop_new(NULL, FALSE);
	channel = g_io_channel_unix_new(STDIN_FILENO);
	/* A line at a time: what stands in a buffer wakes nobody. */
	g_io_channel_set_encoding(channel, NULL, NULL);
	g_io_channel_set_buffered(channel, TRUE);
	g_io_add_watch(channel, G_IO_IN | G_IO_HUP, on_line, NULL);
	g_main_loop_run(loop);
	if (dom.machine)
		dom.machine->ops->free(dom.machine);
	forget_machine();
	domain_free(dom.config);
	g_free(dom.name);
	g_io_channel_unref(channel);
	g_main_loop_unref(loop);
	return 0;
}
