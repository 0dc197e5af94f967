/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-engine.c - which engine is taken, and what is said about it
 */
#include <glib.h>

#include "base/error.h"
#include "cpu/cpu.h"
#include "vmm/engine.h"

static bool can(GError **error)
{
	(void)error;
	return true;
}

static bool cannot(GError **error)
{
	return error_set(error, SOCLE_ERROR_UNSUPPORTED, "no luck");
}

static bool is_not_there(GError **error)
{
	return error_set(error, SOCLE_ERROR_NOT_FOUND, "no device");
}

static bool must_not_be_asked(GError **error)
{
	(void)error;
	g_assert_not_reached();
}

static void test_choice(void)
{
	static const struct cpu_ops good = { .name = "kvm", .can_run_stock = can };
	static const struct cpu_ops bad = { .name = "kvm", .can_run_stock = cannot };
	static const struct cpu_ops mute = { .name = "kvm", .can_run_stock = must_not_be_asked };
	static const struct cpu_ops emu = { .name = "emu", .can_run_stock = must_not_be_asked };
	g_autoptr(GError) error = NULL;
	g_autofree char *reason = NULL;

	g_assert_true(engine_choose(ENGINE_AUTO, true, &good, &emu, &reason, &error) == &good);
	g_assert_null(reason);
	/* Small guests need no more than what KVM is insisted on for. */
	g_assert_true(engine_choose(ENGINE_KVM, false, &mute, &emu, &reason, &error) == &mute);
	g_assert_null(reason);
	g_assert_true(engine_choose(ENGINE_EMU, true, &mute, &emu, &reason, &error) == &emu);
	g_assert_null(reason);
	g_assert_true(engine_choose(ENGINE_AUTO, true, &bad, &emu, &reason, &error) == &emu);
	g_assert_cmpstr(reason, ==, "no luck");
	g_assert_no_error(error);
	g_clear_pointer(&reason, g_free);
	g_assert_null(engine_choose(ENGINE_KVM, true, &bad, &emu, &reason, &error));
	g_assert_cmpstr(error->message, ==,
			"KVM cannot run this kernel, use --engine emu: no luck");
}

static void test_list(void)
{
	static const struct cpu_ops good = { .name = "emu", .can_run_stock = can };
	static const struct cpu_ops bad = { .name = "kvm", .can_run_stock = cannot };
	static const struct cpu_ops none = { .name = "kvm", .can_run_stock = is_not_there };
	const struct cpu_ops *engines[] = { &bad, &none, &good, NULL };
	g_autofree char *text = engine_list(engines);

	g_assert_cmpstr(text, ==,
			"kvm  cannot run stock kernels: no luck\n"
			"kvm  cannot be used: no device\n"
			"emu  can run stock kernels\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/engine/choice", test_choice);
	g_test_add_func("/vmm/engine/list", test_list);
	return g_test_run();
}
