/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.c - socle top: what machines use, live or line by line
 *
 * Plain sequences instead of a library for terminals: a picture is one string, which tests can read
 * and one write shows, and the dozen sequences in it are the same everywhere. When the connection
 * breaks the last picture stays, with the reason below it, until there is another one.
 */
#include "cli/top.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/terminal.h"
#include "cli/commands.h"

enum {
	DELAY_MS = 2000,
	BETWEEN_MS = 500,   /* for the first rates, if nothing else was asked for */
	ESC_MS = 50,        /* bytes of one key come within that time */
	PATIENCE_MS = 3000, /* with a daemon, while keys wait; unless --timeout says another time */
};

static const char screen_on[] = "\033[?1049h\033[?25l\033[2J",
		  screen_off[] = "\033[?25h\033[?1049l";

static atomic_bool on_screen;
/* SIGWINCH and SIGCONT write a byte, so that the wait for keys ends. */
static int wake[2] = { -1, -1 };

struct top {
	struct cli *cli;
	struct top_state state;
	struct samples *before, *now;
	char *host, *problem;
	unsigned host_cpus;
	uint64_t host_memory_kib;
};

/* ---- samples ---- */

static void clear_samples(struct top *top)
{
	g_clear_pointer(&top->before, samples_free);
	g_clear_pointer(&top->now, samples_free);
}

static void ask_host(struct top *top)
{
	struct socle_node_info info;
	char *host = socle_conn_hostname(top->cli->conn, NULL);

	g_free(top->host);
	top->host = host ? cli_plain(host) : NULL;
	free(host);
	if (socle_node_info(top->cli->conn, &info, NULL) == 0) {
		top->host_cpus = info.cpus;
		top->host_memory_kib = info.memory_kib;
	}
}

static bool look(struct top *top, GError **error)
{
	struct samples *samples;

	if (!top->cli->conn) {
		if (!cli_connect(top->cli, error))
			return false;
		clear_samples(top);
		ask_host(top);
	}
	samples = samples_take(top->cli->conn, 0, error);
	if (!samples)
		return false;
	samples_free(top->before);
	top->before = top->now;
	top->now = samples;
	return true;
}

/* A connection that has broken is opened again by the next look. */
static void look_or_tell(struct top *top)
{
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&top->problem, g_free);
	if (look(top, &error))
		return;
	top->problem = g_strdup_printf("%s; trying again", error->message);
	if (top->cli->conn && !socle_conn_is_alive(top->cli->conn))
		cli_disconnect(top->cli);
}

static char *clock_text(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();

	return g_date_time_format(now, "%H:%M:%S");
}

static struct top_rates *rates_of(const struct top *top, bool all)
{
	autoptr(samples) none = samples_new();
	struct top_rates *rates = top_rates_new(top->before, top->now ? top->now : none);

	top_rates_arrange(rates, top->state.sort, top->state.reverse, top->state.filter, all);
	return rates;
}

/* ---- line by line ---- */

static json_t *row_json(const struct top_row *row)
{
	return json_pack("{s:o, s:s, s:o, s:s, s:I, s:f, s:I, s:f, s:f, s:f, s:f}", "name",
			 cli_json_string(row->real_name), "uuid", row->uuid, "id",
			 row->id < 0 ? json_null() : json_integer(row->id), "state",
			 socle_domain_state_name(row->state), "vcpus", (json_int_t)row->vcpus,
			 "cpu_percent", row->cpu, "memory", (json_int_t)row->memory_kib * 1024,
			 "read_per_s", row->rd, "written_per_s", row->wr, "received_per_s", row->rx,
			 "sent_per_s", row->tx);
}

static void json_out(const struct top *top, const struct top_rates *rates)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < rates->rows->len; i++)
		json_array_append_new(list,
				      row_json(&g_array_index(rates->rows, struct top_row, i)));
	cli_out_json_line(json_pack("{s:I, s:o, s:f, s:i, s:I, s:o}", "time",
				    (json_int_t)(sys_realtime_ns() / 1000000000), "host",
				    cli_json_string(top->host), "seconds", rates->seconds,
				    "host_cpus", (int)top->host_cpus, "host_memory",
				    (json_int_t)top->host_memory_kib * 1024, "machines", list));
}

static void print(const struct top *top, bool blank)
{
	autoptr(top_rates) rates = rates_of(top, top->state.all);
	g_autofree char *clock = clock_text();
	struct top_screen screen = {
		.host = top->host,
		.clock = clock,
		.host_cpus = top->host_cpus,
		.host_memory_kib = top->host_memory_kib,
	};
	g_autoptr(GString) text = g_string_new(blank ? "\n" : NULL);

	if (top->cli->output == OUTPUT_JSON) {
		json_out(top, rates);
		return;
	}
	for (unsigned i = 0; top->cli->output == OUTPUT_NAME && i < rates->rows->len; i++)
		cli_out_name(g_array_index(rates->rows, struct top_row, i).name);
	if (top->cli->output == OUTPUT_NAME)
		return;
	top_print(rates, &screen, text);
	cli_out("%s", text->str);
}

/* The first lines have rates already, of half a second. */
static bool batch(struct top *top, uint64_t count, GError **error)
{
	if (!look(top, error))
		return false;
	g_usleep(MIN(top->state.delay_ms, BETWEEN_MS) * 1000);
	for (uint64_t i = 0; !count || i < count; i++) {
		if (i > 0)
			g_usleep(top->state.delay_ms * 1000);
		if (!look(top, error))
			return false;
		print(top, i > 0);
		if (!cli_out_finish(error))
			return false;
	}
	return true;
}

/* ---- live ---- */

/* Also called by handlers of signals: both of these are made for that. */
static void leave_screen(void)
{
	/* NOLINTBEGIN(bugprone-signal-handler): they only make system calls, and copy what stands ready */
	if (atomic_exchange(&on_screen, false))
		(void)sys_write_full(STDOUT_FILENO, screen_off, strlen(screen_off));
	terminal_restore();
	/* NOLINTEND(bugprone-signal-handler) */
}

static void on_end(int sig)
{
	leave_screen();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void on_wake(int sig)
{
	(void)sig;
	/* NOLINTNEXTLINE(bugprone-signal-handler): it is one system call */
	(void)sys_write(wake[1], "", 1);
}

static bool enter_screen(GError **error)
{
	static const int ends[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	int ret = sys_pipe(wake, O_NONBLOCK);
	ssize_t written;

	if (ret < 0)
		return error_sys(error, ret, "cannot create a pipe");
	for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
		(void)signal(ends[i], on_end);
	(void)signal(SIGWINCH, on_wake);
	(void)signal(SIGCONT, on_wake);
	(void)atexit(leave_screen);
	if (!terminal_raw(STDIN_FILENO, error))
		return false;
	atomic_store(&on_screen, true);
	written = sys_write_full(STDOUT_FILENO, screen_on, strlen(screen_on));
	return written >= 0 || error_sys(error, (int)written, "cannot write to the terminal");
}

static bool draw(struct top *top, GError **error)
{
	autoptr(top_rates) rates = rates_of(top, top->state.all);
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *clock = clock_text();
	uint16_t columns = 80, rows = 24;
	struct top_screen screen = {
		.host = top->host,
		.clock = clock,
		.problem = top->problem,
		.host_cpus = top->host_cpus,
		.host_memory_kib = top->host_memory_kib,
	};
	ssize_t written;

	(void)terminal_size(STDOUT_FILENO, &columns, &rows);
	screen.columns = columns;
	screen.rows = rows;
	top_draw(&top->state, &screen, rates, out);
	written = sys_write_full(STDOUT_FILENO, out->str, out->len);
	return written >= 0 || error_sys(error, (int)written, "cannot write to the terminal");
}

/* Keys until @end_ns, or until the picture is to change. */
static bool wait_keys(struct top *top, uint64_t end_ns, GError **error)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = wake[0], .events = POLLIN } };
	uint64_t now = sys_monotonic_ns();
	int wait_ms = end_ns > now ? (int)((end_ns - now + 999999) / 1000000) : 0, ret;
	uint8_t bytes[64];
	ssize_t len;

	if (top->state.sequence)
		wait_ms = MIN(wait_ms, ESC_MS);
	ret = sys_poll(fds, G_N_ELEMENTS(fds), wait_ms);
	if (ret < 0)
		return error_sys(error, ret, "cannot wait for keys");
	if (ret == 0 && top->state.sequence)
		top_key_pause(&top->state);
	if (fds[1].revents)
		(void)sys_read(wake[0], bytes, sizeof(bytes));
	if (!fds[0].revents)
		return true;
	len = sys_read(STDIN_FILENO, bytes, sizeof(bytes));
	/* A terminal that has gone ends it, as 'q' does. */
	if (len <= 0)
		top->state.quit = true;
	for (ssize_t i = 0; i < len; i++)
		top_key(&top->state, bytes[i]);
	return true;
}

static bool live(struct top *top, uint64_t count, GError **error)
{
	uint64_t next = 0, looks = 0;

	/* What cannot be reached at the start is an error as everywhere. */
	if (!look(top, error) || !enter_screen(error))
		return false;
	if (!top->cli->timeout_ms) {
		top->cli->timeout_ms = PATIENCE_MS;
		socle_conn_set_timeout(top->cli->conn, PATIENCE_MS);
	}
	next = sys_monotonic_ns() + MIN(top->state.delay_ms, BETWEEN_MS) * 1000000;
	while (!top->state.quit) {
		uint64_t delay = top->state.delay_ms;

		if (!draw(top, error) || !wait_keys(top, next, error))
			return false;
		if (top->state.delay_ms != delay || top->state.refresh)
			next = 0;
		if (top->state.quit || sys_monotonic_ns() < next)
			continue;
		top->state.refresh = false;
		look_or_tell(top);
		top->state.quit |= ++looks == count;
		next = sys_monotonic_ns() + top->state.delay_ms * 1000000;
	}
	return true;
}

static bool prepare(struct top *top, const struct cli_args *args, uint64_t *ret_count,
		    GError **error)
{
	const char *sort = cli_args_value(args, "sort"), *filter = cli_args_value(args, "filter");
	uint64_t delay = DELAY_MS;

	if (!cli_args_number(args, "count", 1, UINT32_MAX, ret_count, error) ||
	    !cli_args_seconds(args, "delay", &delay, error))
		return false;
	if (delay < TOP_DELAY_MIN_MS || delay > TOP_DELAY_MAX_MS)
		return error_set(error, SOCLE_ERROR_USAGE, "'--delay' is from 0.1 to 3600 seconds");
	top_state_init(&top->state, delay);
	if (sort)
		(void)top_sort_of(sort, &top->state.sort);
	if (filter)
		g_strlcpy(top->state.filter, filter, sizeof(top->state.filter));
	top->state.all = cli_args_has(args, "all");
	top->state.reverse = cli_args_has(args, "reverse");
	return true;
}

static int run_top(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct top top = { .cli = cli };
	bool in_batch = cli_args_has(args, "batch") || cli->output != OUTPUT_TABLE;
	uint64_t count = 0;
	bool ok;

	if (!prepare(&top, args, &count, error))
		return CLI_USAGE;
	if (!in_batch && (!terminal_is(STDIN_FILENO) || !terminal_is(STDOUT_FILENO) ||
			  !g_strcmp0(g_getenv("TERM"), "dumb"))) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'socle top' wants a terminal; '--batch' prints to anything");
		return CLI_USAGE;
	}
	ok = in_batch ? batch(&top, count, error) : live(&top, count, error);
	leave_screen();
	clear_samples(&top);
	g_free(top.host);
	g_free(top.problem);
	return ok ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_top = {
	.verb = "top",
	.arguments = "",
	.summary = "Show what machines use of CPU, memory, disk and network, live",
	.options =
		(const struct cli_option[]){
			{ "batch", 'b', NULL, CLI_NOTHING,
			  "print tables; JSON has a line for each look" },
			{ "count", 'n', "N", CLI_TEXT, "end after so many looks" },
			{ "delay", 'd', "SECONDS", CLI_TEXT, "between two looks (default: 2)" },
			{ "sort", 's', "cpu|memory|read|write|received|sent|name", CLI_TEXT,
			  "(default: cpu)" },
			{ "reverse", 0, NULL, CLI_NOTHING, "the other way round" },
			{ "filter", 'f', "TEXT", CLI_TEXT,
			  "only machines with this in their names" },
			{ "all", 'a', NULL, CLI_NOTHING, "also machines that do not run" },
			CLI_ROW_END },
	.run = run_top,
};
