/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.c - what this host can and cannot do, each with the remedy
 *
 * Two parts: the host itself (doctor-host.c); who answers on which socket, and may the user ask.
 */
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
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

/* 0, or -errno of the attempt. */
static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autofd int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	return sys_connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

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
	int ret;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return;
	doctor->sockets++;
	ret = try_connect(path);
	if (ret == -EACCES || ret == -EPERM) {
		struct stat st;
		const struct group *group = sys_stat(path, &st) < 0 ? NULL : getgrgid(st.st_gid);

		remedy = g_strdup_printf(
			"become a member of its group: sudo usermod -aG %s $USER, and log in again",
			group ? group->gr_name : "socle");
		doctor_add(doctor, DOCTOR_WARNING, what, "permission denied", remedy);
		return;
	}
	if (ret < 0) {
		doctor_add(doctor, DOCTOR_WARNING, what, g_strerror(-ret),
			   "nobody listens there: start the daemon, or remove the socket");
		return;
	}
	found = who_answers(path, system, &error);
	if (found)
		doctor->daemons++;
	doctor_add(doctor, found ? DOCTOR_OK : DOCTOR_WARNING, what, found ? found : error->message,
		   found ? NULL : "look into the daemon's log, or start it again");
}

static void check_sockets(struct doctor *doctor)
{
	static const char *const names[] = { "virtsocled-sock", "virtqemud-sock", "libvirt-sock" };
	const char *run = g_getenv("XDG_RUNTIME_DIR");
	const char *uri = g_getenv("SOCLE_URI");

	check_socket(doctor, "/run/socle/socled-sock", true);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_strdup_printf("/run/libvirt/%s", names[i]);

		check_socket(doctor, path, true);
	}
	for (unsigned i = 0; run && *run && i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_strdup_printf("%s/libvirt/%s", run, names[i]);

		check_socket(doctor, path, false);
	}
	if (run && *run) {
		g_autofree char *path = g_strdup_printf("%s/socle/socled-sock", run);

		check_socket(doctor, path, false);
	}
	if (!run || !*run)
		doctor_add(doctor, geteuid() ? DOCTOR_WARNING : DOCTOR_NOTE, "XDG_RUNTIME_DIR",
			   "not set, so there is no place for a daemon of the session",
			   "log in by pam_systemd, or set it to a folder of your own of mode 0700");
	if (!doctor->sockets)
		doctor_add(doctor, DOCTOR_NOTE, "daemon", "no socket of a daemon is there",
			   geteuid() ? "none is needed: that of the session starts by itself"
				     : "start socled, or name another place by --connect");
	if (uri && *uri)
		doctor_add(doctor, DOCTOR_NOTE, "SOCLE_URI", uri, NULL);
}

/* Is the process in the group of that name? */
static void check_group(struct doctor *doctor, const char *name, const char *gives)
{
	g_autofree char *what = g_strdup_printf("group %s", name), *remedy = NULL;
	const struct group *group = getgrnam(name);
	gid_t groups[256], wanted;
	int count;

	if (!group || !geteuid())
		return;
	wanted = group->gr_gid;
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

/* What -c, or the default, leads to. */
static void check_default(struct doctor *doctor, struct cli *cli)
{
	g_autoptr(GError) error = NULL;
	struct socle_error *why = NULL;
	char *uri;

	if (!cli->timeout_ms)
		cli->timeout_ms = PATIENCE_MS;
	if (!cli_connect_flags(cli, SOCLE_OPEN_NO_AUTOSTART, &error)) {
		doctor_add(doctor, DOCTOR_WARNING, "connection", error->message,
			   "start socled, or name a daemon by --connect or SOCLE_URI");
		return;
	}
	uri = socle_conn_uri(cli->conn, &why);
	doctor_add(doctor, uri ? DOCTOR_OK : DOCTOR_WARNING, "connection",
		   uri ? uri : socle_error_message(why),
		   uri ? NULL : "look into the daemon's log, or start it again");
	free(uri);
	socle_error_free(why);
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
