/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-open.c - what is said when /dev/kvm cannot be used; the device is never reached
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "kvm/kvm.h"

static void check(int err, GQuark domain, int code, const char *text)
{
	const struct cpu_config config = { .cpus = 1 };
	g_autoptr(GError) error = NULL, error2 = NULL;

	sys_fail_nth(SYS_OPEN, 1, err);
	g_assert_null(kvm_cpu_ops.open(&config, &error));
	g_assert_error(error, domain, code);
	g_assert_cmpstr(error->message, ==, text);

	/* The trial says the same. */
	sys_fail_nth(SYS_OPEN, 1, err);
	g_assert_false(kvm_cpu_ops.can_run_stock(&error2));
	g_assert_error(error2, domain, code);
	g_assert_cmpstr(error2->message, ==, text);
}

static void test_missing(void)
{
	check(ENOENT, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND,
	      "cannot open '/dev/kvm': No such file or directory; load the module kvm_intel or "
	      "kvm_amd, or use the software engine");
}

static void test_denied(void)
{
	check(EACCES, SOCLE_ERROR, SOCLE_ERROR_DENIED,
	      "cannot open '/dev/kvm': Permission denied; add the user to the group that owns it");
}

static void test_other(void)
{
	check(EMFILE, SYS_ERROR, EMFILE, "cannot open '/dev/kvm': Too many open files");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/kvm/open/missing", test_missing);
	g_test_add_func("/kvm/open/denied", test_denied);
	g_test_add_func("/kvm/open/other", test_other);
	return g_test_run();
}
