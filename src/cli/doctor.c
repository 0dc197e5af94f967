/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.c - what this host can and cannot do, each with the remedy
 *
 * Two parts: the host itself (doctor-host.c); who answers on which socket, and may the user ask.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/error.h"
#include "base/session.h"
#include "base/sys.h"
#include "base/unix-connect.h"
#include "cli/commands.h"
#include "cli/doctor.h"

enum {
	PATIENCE_MS = 3000
};

static const char *const verdicts[] = { "ok", "note", "warning", "problem" };

void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *what,
		const char *found, const char *remedy)
{
	static const enum cli_colour colours[] = { COLOUR_GOOD, COLOUR_DIM, COLOUR_WARN,
						   COLOUR_BAD };
	bool colour = cli_colours(STDOUT_FILENO);
	g_autofree char *plain = cli_plain(found);

	doctor->worst = MAX(doctor->worst, verdict);
	if (doctor->list) {
		json_array_append_new(doctor->list,
				      json_pack("{s:s, s:s, s:o, s:o}", "what", what, "verdict",
						verdicts[verdict], "found", cli_json_string(found),
						"remedy", cli_json_string(remedy)));
		return;
	}
	if (doctor->quiet && verdict <= DOCTOR_NOTE)
		return;
	cli_out("%s%-8s%s %s: %s\n", colour ? cli_colour_code(colours[verdict]) : "",
		verdicts[verdict], colour ? cli_colour_code(COLOUR_NONE) : "", what, plain);
	if (remedy)
		cli_out("         -> %s\n", remedy);
}

/* ---- sockets ---- */

/* Who is it? The name and version of what answers; NULL with an error. */
static char *who_answers(const char *path, bool system, GError **error)
{
	g_autofree char *uri =
		g_strdup_printf("qemu:///%s?socket=%s", system ? "system" : "session", path);
	struct socle_error *why = NULL;
	SOCLE_AUTO(conn)
	conn = socle_conn_open(uri, SOCLE_OPEN_READONLY | SOCLE_OPEN_NO_AUTOSTART, &why);
	uint64_t version = 0;
	char *type, *text;

	if (!conn) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	socle_conn_set_timeout(conn, PATIENCE_MS);
	type = socle_conn_type(conn, &why);
	if (!type) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	(void)socle_conn_lib_version(conn, &version, NULL);
	text = g_strdup_printf("a daemon answers (%s, level of libvirt %u.%u.%u)", type,
			       (unsigned)(version / 1000000), (unsigned)(version / 1000 % 1000),
			       (unsigned)(version % 1000));
	free(type);
	return text;
}

static void check_socket(struct doctor *doctor, const char *path, bool system)
{
	g_autofree char *what = g_strdup_printf("socket %s", path);
	g_autofree char *found = NULL, *remedy = NULL;
	g_autoptr(GError) error = NULL;
	autofd int ret = -1;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return;
	ret = unix_connect(path, 0);
	if (ret == -EACCES || ret == -EPERM) {
		struct stat st;
		g_autofree char *group =
			sys_stat(path, &st) < 0 ? NULL : account_group_name(st.st_gid);

		remedy = g_strdup_printf(
			"become a member of its group: sudo usermod -aG %s $USER, and log in again",
			group ? group : "socle");
		doctor_add(doctor, DOCTOR_WARNING, what, "permission denied", remedy);
		return;
	}
	if (ret < 0) {
		doctor_add(doctor, DOCTOR_WARNING, what, g_strerror(-ret),
			   "nobody listens there: start the daemon, or remove the socket");
		return;
	}
	found = who_answers(path, system, &error);
	doctor_add(doctor, found ? DOCTOR_OK : DOCTOR_WARNING, what, error ? error->message : found,
		   found ? NULL : "look into the daemon's log, or start it again");
}

static void check_folder(struct doctor *doctor, const char *used)
{
	const char *given = g_getenv("XDG_RUNTIME_DIR");

	if (!given || !*given)
		doctor_add(doctor, DOCTOR_NOTE, "XDG_RUNTIME_DIR",
			   "not set; a daemon of the session has its socket elsewhere", NULL);
	else if (strcmp(given, used) != 0)
		doctor_add(doctor, DOCTOR_WARNING, "XDG_RUNTIME_DIR",
			   "the folder is another user's, and not used",
			   "log in as yourself, or set it to a folder of your own of mode 0700");
}

static void check_sockets(struct doctor *doctor)
{
	static const char *const names[] = { "virtsocled-sock", "virtqemud-sock", "libvirt-sock" };
	const char *uri = g_getenv("SOCLE_URI");

	for (unsigned session = 0; session < 2; session++) {
		g_autofree char *run = session_runtime_dir(session);
		g_autofree char *own = session_socket(session, false);

		check_socket(doctor, own, !session);
		for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
			g_autofree char *path = g_strdup_printf("%s/libvirt/%s", run, names[i]);

			check_socket(doctor, path, !session);
		}
		if (session)
			check_folder(doctor, run);
	}
	if (uri && *uri)
		doctor_add(doctor, DOCTOR_NOTE, "SOCLE_URI", uri, NULL);
}

/* Is the process in the group of that name? */
static void check_group(struct doctor *doctor, const char *name, const char *gives)
{
	g_autofree char *what = g_strdup_printf("group %s", name), *remedy = NULL;
	gid_t groups[256], wanted;
	int count;

	if (!geteuid() || !account_group(name, &wanted))
		return;
	count = getgroups(G_N_ELEMENTS(groups), groups);
	for (int i = 0; i < count; i++) {
		if (groups[i] == wanted) {
			doctor_add(doctor, DOCTOR_OK, what, "you are a member", NULL);
			return;
		}
	}
	remedy = g_strdup_printf("sudo usermod -aG %s $USER, and log in again", name);
	doctor_add(doctor, DOCTOR_NOTE, what, gives, remedy);
}

/* What happens with no daemon that answers, and nobody who has named one. */
static void tell_start(struct doctor *doctor)
{
	const char *said = g_getenv("SOCLE_AUTOSTART");
	g_autofree char *program = session_program(), *found = NULL;

	if (said && !strcmp(said, "0")) {
		doctor_add(doctor, DOCTOR_WARNING, "connection",
			   "no daemon runs, and SOCLE_AUTOSTART=0 says to start none",
			   "start 'socled --session', or unset SOCLE_AUTOSTART");
	} else if (!program) {
		doctor_add(doctor, DOCTOR_WARNING, "connection",
			   "no daemon runs, and there is no program 'socled' to start",
			   "install it, or set SOCLED_PATH");
	} else {
		found = g_strdup_printf(
			"no daemon runs; the first command starts that of your session, '%s'",
			program);
		doctor_add(doctor, DOCTOR_NOTE, "connection", found,
			   geteuid() ? NULL : "for machines of the whole host, start 'socled'");
	}
}

/* What -c, or the default, leads to. */
static void check_default(struct doctor *doctor, struct cli *cli)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *uri = NULL;

	if (!cli->timeout_ms)
		cli->timeout_ms = PATIENCE_MS;
	if (!cli_connect_flags(cli, SOCLE_OPEN_NO_AUTOSTART, &error)) {
		if (cli_given_uri(cli))
			doctor_add(doctor, DOCTOR_WARNING, "connection", error->message,
				   "start that daemon, or name another one by --connect");
		else
			tell_start(doctor);
		return;
	}
	uri = cli_uri(cli, &error);
	doctor_add(doctor, uri ? DOCTOR_OK : DOCTOR_WARNING, "connection",
		   uri ? uri : error->message,
		   uri ? NULL : "look into the daemon's log, or start it again");
}

static int run_doctor(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct doctor doctor = { .quiet = cli->quiet };

	(void)args;
	(void)error;
	if (cli->output == OUTPUT_JSON)
		doctor.list = json_array();
	doctor_host(&doctor);
	check_group(&doctor, "kvm", "you are no member, so /dev/kvm may be closed to you");
	check_group(&doctor, "libvirt", "you are no member, so a system's daemon may refuse you");
	check_sockets(&doctor);
	check_default(&doctor, cli);
	if (doctor.list)
		cli_out_json(doctor.list);
	return doctor.worst == DOCTOR_PROBLEM ? CLI_FAILED : CLI_OK;
}

const struct cli_command cli_host_doctor = {
	.noun = "host",
	.verb = "doctor",
	.names = "doctor",
	.arguments = "",
	.summary = "Tell what this host can and cannot do, each with the remedy",
	.flags = CLI_LOCAL,
	.run = run_doctor,
};
