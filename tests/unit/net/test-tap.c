/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-tap.c - taps: what is refused, and how
 *
 * Traffic needs a kernel that lets us make taps; functional tests have it.
 */
#include <fcntl.h>

#include "base/error.h"
#include "base/sys.h"
#include "card.h"

static void assert_refused(const struct net_tap_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_tap_new(config, &error);

	g_assert_null(net);
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_error("'%s' is not '%s'", error->message, text);
}

static void test_names(void)
{
	const char *const bad[] = { "", "a-name-that-is-too-long", "a/b", "x%d" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		const struct net_tap_config c = { .ifname = bad[i] };

		assert_refused(&c, "'*' is not a name of an interface; choose one of 1 to 15 *");
	}
	assert_refused(&(struct net_tap_config){ .queues = 17 }, "a tap has at most 16 queues*");
}

/* The device cannot be opened, or its tap cannot be made: what then? */
static void test_denied(void)
{
	const struct net_tap_config c = { .ifname = "socle-test0" };
	const struct net_tap_config two = { .ifname = "socle-test0", .queues = 2 };

	sys_fail_nth(SYS_OPEN, 1, EACCES);
	assert_refused(&c, "no permission to use tap 'socle-test0'; run as root, or have root run "
			   "'ip tuntap add dev socle-test0 mode tap user *', or use --net user");
	sys_fail_nth(SYS_OPEN, 1, EPERM);
	assert_refused(&two, "* multi_queue', or use --net user");
	sys_fail_nth(SYS_OPEN, 1, ENOENT);
	assert_refused(&c, "this host has no /dev/net/tun; *");
	sys_fail_nth(SYS_OPEN, 1, EMFILE);
	assert_refused(&c, "cannot open /dev/net/tun: Too many open files");
}

static void test_tunsetiff(void)
{
	static const struct {
		int err;
		const char *ifname, *text;
	} cases[] = {
		{ EPERM, "socle-test0", "no permission to use tap 'socle-test0'; *" },
		{ EBUSY, "socle-test0", "tap 'socle-test0' is in use by another program; *" },
		{ EINVAL, "lo", "interface 'lo' is not a tap of one queue; choose another name" },
		{ EINVAL, "socle-test0", "cannot make tap 'socle-test0': Invalid argument" },
	};

	if (sys_open("/dev/net/tun", O_RDWR, 0) < 0) {
		g_test_skip("no /dev/net/tun");
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct net_tap_config c = { .ifname = cases[i].ifname };

		sys_fail_nth(SYS_IOCTL, 1, cases[i].err);
		assert_refused(&c, cases[i].text);
	}
}

static void test_not_a_tap(void)
{
	int fd = sys_open("/dev/null", O_RDWR, 0);
	const struct net_tap_config c = { .fds = &fd, .fd_count = 1 };

	assert_refused(&c, "descriptor * is not an open tap");
	/* It was taken over. */
	g_assert_cmpint(sys_set_nonblock(fd), ==, -EBADF);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/tap/names", test_names);
	g_test_add_func("/net/tap/denied", test_denied);
	g_test_add_func("/net/tap/tunsetiff", test_tunsetiff);
	g_test_add_func("/net/tap/not-a-tap", test_not_a_tap);
	return g_test_run();
}
