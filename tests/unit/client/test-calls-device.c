/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-device.c - calls about devices, disks, the guest, console and display
 */
#include "calls.h"

RUN(attach, say_int(socle_domain_attach_device(e->dom, "<disk/>", 3, ERR)));
RUN(detach, say_int(socle_domain_detach_device(e->dom, "<disk/>", 3, ERR)));
RUN(detach_alias, say_int(socle_domain_detach_device_alias(e->dom, "net0", 1, ERR)));
RUN(update, say_int(socle_domain_update_device(e->dom, "<disk/>", 4, ERR)));

/* == Disks == */

static char *run_block_stats(struct env *e)
{
	struct socle_block_stats s = { .errs = 0 };
	int rc = socle_domain_block_stats(e->dom, "vda", &s, ERR);

	return say_if(rc, g_strdup_printf("%d %d %d %d %d", (int)s.rd_req, (int)s.rd_bytes,
					  (int)s.wr_req, (int)s.wr_bytes, (int)s.errs));
}

RUN(block_stats_params, say_params(socle_domain_block_stats_params(e->dom, "vda", 0, ERR)));

static char *run_block_info(struct env *e)
{
	struct socle_block_info i = { .capacity = 0 };
	int rc = socle_domain_block_info(e->dom, "vda", 1, &i, ERR);

	return say_if(rc, g_strdup_printf("%d %d %d", (int)i.capacity, (int)i.allocation,
					  (int)i.physical));
}

RUN(block_resize, say_int(socle_domain_block_resize(e->dom, "vda", 1024, 1, ERR)));

static char *run_disk_errors(struct env *e)
{
	struct socle_disk_error *errors = NULL;
	int count = socle_domain_disk_errors(e->dom, 1, &errors, ERR);
	char *said = say_if(count, count > 0 ? g_strdup_printf("%d %s %d", count, errors[0].disk,
							       errors[0].error)
					     : g_strdup("none"));

	socle_disk_errors_free(errors);
	return said;
}

RUN(threshold, say_int(socle_domain_set_block_threshold(e->dom, "vda", 99, 1, ERR)));

static char *run_block_peek(struct env *e)
{
	unsigned char b[2] = { 0, 0 };
	int rc = socle_domain_block_peek(e->dom, "vda", 512, sizeof(b), b, ERR);

	return say_if(rc, g_strdup_printf("%02x%02x", b[0], b[1]));
}

static char *run_memory_peek(struct env *e)
{
	unsigned char b[2] = { 0, 0 };
	int rc = socle_domain_memory_peek(e->dom, 512, sizeof(b), 2, b, ERR);

	return say_if(rc, g_strdup_printf("%02x%02x", b[0], b[1]));
}

RUN(commit, say_int(socle_domain_block_commit(e->dom, "vda", "base", "top", 5, 4, ERR)));
RUN(pull, say_int(socle_domain_block_pull(e->dom, "vda", 5, 64, ERR)));
RUN(rebase, say_int(socle_domain_block_rebase(e->dom, "vda", "base", 5, 1, ERR)));
RUN(rebase_all, say_int(socle_domain_block_rebase(e->dom, "vda", NULL, 0, 0, ERR)));
RUN(copy, say_int(socle_domain_block_copy(e->dom, "vda", "<disk/>", NULL, 1, ERR)));

static char *run_copy_params(struct env *e)
{
	SOCLE_AUTO(params) params = socle_params_new();

	g_assert_cmpint(socle_params_add_text(params, "bandwidth", SOCLE_PARAM_ULLONG, "7", NULL),
			==, 0);
	return say_int(socle_domain_block_copy(e->dom, "vda", "<disk/>", params, 1, ERR));
}

RUN(job_abort, say_int(socle_domain_block_job_abort(e->dom, "vda", 2, ERR)));
RUN(job_speed, say_int(socle_domain_block_job_set_speed(e->dom, "vda", 5, 1, ERR)));

static char *run_job_info(struct env *e)
{
	struct socle_block_job_info i = { .cur = 0 };
	int rc = socle_domain_block_job_info(e->dom, "vda", 1, &i, ERR);

	return say_if(rc, g_strdup_printf("%d %d %d %d %d", rc, (int)i.type, (int)i.bandwidth,
					  (int)i.cur, (int)i.end));
}

/* == Network cards == */

static char *run_interface_stats(struct env *e)
{
	struct socle_interface_stats s = { .rx_bytes = 0 };
	int rc = socle_domain_interface_stats(e->dom, "net0", &s, ERR);

	return say_if(rc,
		      g_strdup_printf("%d %d %d %d %d %d %d %d", (int)s.rx_bytes, (int)s.rx_packets,
				      (int)s.rx_errs, (int)s.rx_drop, (int)s.tx_bytes,
				      (int)s.tx_packets, (int)s.tx_errs, (int)s.tx_drop));
}

static char *run_addresses(struct env *e)
{
	struct socle_interface *i = NULL;
	int count = socle_domain_interface_addresses(e->dom, 1, 0, &i, ERR);
	char *said = count < 0
			     ? g_strdup("-1")
			     : g_strdup_printf("%d %s %s %u %d %s/%u, %s %d", count, i[0].name,
					       i[0].mac, i[0].count, i[0].addresses[0].type,
					       i[0].addresses[0].address, i[0].addresses[0].prefix,
					       i[1].name, i[1].mac == NULL);

	socle_interfaces_free(i);
	return said;
}

/* == The guest == */

RUN(hostname, say_text(socle_domain_hostname(e->dom, 2, ERR)));
RUN(guest_info, say_params(socle_domain_guest_info(e->dom, 3, 1, ERR)));

static char *run_fsinfo(struct env *e)
{
	struct socle_fsinfo *i = NULL;
	int count = socle_domain_fsinfo(e->dom, 0, &i, ERR);
	char *said =
		count < 0 ? g_strdup("-1")
			  : g_strdup_printf("%d %s %s %s %s %d", count, i[0].mountpoint, i[0].name,
					    i[0].fstype, i[0].disks[0], i[0].disks[1] == NULL);

	socle_fsinfo_free(i);
	return said;
}

static const char *const mountpoints[] = { "/", "/home", NULL };

RUN(fstrim, say_int(socle_domain_fstrim(e->dom, "/", 4096, 0, ERR)));
RUN(fsfreeze, say_int(socle_domain_fsfreeze(e->dom, mountpoints, 0, ERR)));
RUN(fsfreeze_all, say_int(socle_domain_fsfreeze(e->dom, NULL, 0, ERR)));
RUN(fsthaw, say_int(socle_domain_fsthaw(e->dom, mountpoints, 0, ERR)));
RUN(set_time, say_int(socle_domain_set_time(e->dom, 5, 6, 1, ERR)));
RUN(password, say_int(socle_domain_set_user_password(e->dom, "root", "secret", 1, ERR)));

static char *run_get_time(struct env *e)
{
	int64_t seconds = 0;
	unsigned ns = 0;
	int rc = socle_domain_get_time(e->dom, 0, &seconds, &ns, ERR);

	return say_if(rc, g_strdup_printf("%d %u", (int)seconds, ns));
}

/* == Keys, console, display == */

static const unsigned keys[] = { 29, 56, 111 };

RUN(send_key, say_int(socle_domain_send_key(e->dom, 1, 50, keys, 3, 0, ERR)));
RUN(nmi, say_int(socle_domain_inject_nmi(e->dom, 0, ERR)));

static char *say_stream(struct socle_stream *stream)
{
	bool opened = stream != NULL;

	socle_stream_unref(stream);
	return g_strdup(opened ? "a stream" : "NULL");
}

RUN(console, say_stream(socle_domain_console(e->dom, "serial0", 1, 0, ERR)));
RUN(channel, say_stream(socle_domain_channel(e->dom, NULL, 1, 0, ERR)));

static char *run_screenshot(struct env *e)
{
	g_autofree char *mime = NULL;
	SOCLE_AUTO(stream) stream = socle_domain_screenshot(e->dom, 2, 0, 0, &mime, ERR);

	return g_strdup(stream ? mime : "NULL");
}

static const struct case_ cases[] = {
	CASE(attach, DOMAIN_ATTACH_DEVICE_FLAGS, "D s:<disk/> i3", "", "0"),
	CASE(detach, DOMAIN_DETACH_DEVICE_FLAGS, "D s:<disk/> i3", "", "0"),
	CASE(detach_alias, DOMAIN_DETACH_DEVICE_ALIAS, "D s:net0 i1", "", "0"),
	CASE(update, DOMAIN_UPDATE_DEVICE_FLAGS, "D s:<disk/> i4", "", "0"),
	CASE(block_stats, DOMAIN_BLOCK_STATS, "D s:vda", "h1 h2 h3 h4 h-1", "1 2 3 4 -1"),
	CASE2(block_stats_params, DOMAIN_BLOCK_STATS_FLAGS, "i0 i1", DOMAIN_BLOCK_STATS_FLAGS,
	      "D s:vda i1 i4", "i1 s:rd_bytes i3 h5 i1", "rd_bytes=l5"),
	CASE(block_info, DOMAIN_GET_BLOCK_INFO, "D s:vda i1", "h2 h1 h3", "1 2 3"),
	CASE(block_resize, DOMAIN_BLOCK_RESIZE, "D s:vda h1024 i1", "", "0"),
	CASE(disk_errors, DOMAIN_GET_DISK_ERRORS, "D i256 i1", "i1 s:vda i2 i1", "1 vda 2"),
	CASE(threshold, DOMAIN_SET_BLOCK_THRESHOLD, "D s:vda h99 i1", "", "0"),
	CASE(block_peek, DOMAIN_BLOCK_PEEK, "D s:vda h512 i2 i0", "o:55aa", "55aa"),
	CASE(memory_peek, DOMAIN_MEMORY_PEEK, "D h512 i2 i2", "o:55aa", "55aa"),
	CASE(commit, DOMAIN_BLOCK_COMMIT, "D s:vda ?:base ?:top h5 i4", "", "0"),
	CASE(pull, DOMAIN_BLOCK_PULL, "D s:vda h5 i64", "", "0"),
	CASE(rebase, DOMAIN_BLOCK_REBASE, "D s:vda ?:base h5 i1", "", "0"),
	CASE(rebase_all, DOMAIN_BLOCK_REBASE, "D s:vda - h0 i0", "", "0"),
	CASE(copy, DOMAIN_BLOCK_COPY, "D s:vda s:<disk/> i0 i1", "", "0"),
	CASE(copy_params, DOMAIN_BLOCK_COPY, "D s:vda s:<disk/> i1 s:bandwidth i4 h7 i1", "", "0"),
	CASE(job_abort, DOMAIN_BLOCK_JOB_ABORT, "D s:vda i2", "", "0"),
	CASE(job_info, DOMAIN_GET_BLOCK_JOB_INFO, "D s:vda i1", "i1 i2 h3 h4 h5", "1 2 3 4 5"),
	CASE(job_speed, DOMAIN_BLOCK_JOB_SET_SPEED, "D s:vda h5 i1", "", "0"),
	CASE(interface_stats, DOMAIN_INTERFACE_STATS, "D s:net0", "h1 h2 h3 h4 h5 h6 h7 h8",
	     "1 2 3 4 5 6 7 8"),
	CASE(addresses, DOMAIN_INTERFACE_ADDRESSES, "D i1 i0",
	     "i2 s:eth0 ?:52:54 i1 i0 s:10.0.2.15 i24 s:lo - i0",
	     "2 eth0 52:54 1 0 10.0.2.15/24, lo 1"),
	CASE(hostname, DOMAIN_GET_HOSTNAME, "D i2", "s:guest", "guest"),
	CASE(guest_info, DOMAIN_GET_GUEST_INFO, "D i3 i1", "i1 s:os.id i7 s:debian",
	     "os.id=sdebian"),
	CASE(fsinfo, DOMAIN_GET_FSINFO, "D i0", "i1 s:/ s:vda1 s:ext4 i1 s:vda i1",
	     "1 / vda1 ext4 vda 1"),
	CASE(fstrim, DOMAIN_FSTRIM, "D ?:/ h4096 i0", "", "0"),
	CASE(fsfreeze, DOMAIN_FSFREEZE, "D i2 s:/ s:/home i0", "i2", "2"),
	CASE(fsfreeze_all, DOMAIN_FSFREEZE, "D i0 i0", "i3", "3"),
	CASE(fsthaw, DOMAIN_FSTHAW, "D i2 s:/ s:/home i0", "i2", "2"),
	CASE(get_time, DOMAIN_GET_TIME, "D i0", "h5 i6", "5 6"),
	CASE(set_time, DOMAIN_SET_TIME, "D h5 i6 i1", "", "0"),
	CASE(password, DOMAIN_SET_USER_PASSWORD, "D ?:root ?:secret i1", "", "0"),
	CASE(send_key, DOMAIN_SEND_KEY, "D i1 i50 i3 i29 i56 i111 i0", "", "0"),
	CASE(nmi, DOMAIN_INJECT_NMI, "D i0", "", "0"),
	CASE(console, DOMAIN_OPEN_CONSOLE, "D ?:serial0 i1", "", "a stream"),
	CASE(channel, DOMAIN_OPEN_CHANNEL, "D - i1", "", "a stream"),
	CASE(screenshot, DOMAIN_SCREENSHOT, "D i2 i0", "?:image/png", "image/png"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
