/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - which engine runs the guest
 */
#include "vmm/engine.h"

#include "base/error.h"
#include "cpu/cpu.h"

const struct cpu_ops *engine_choose(enum engine_choice choice, bool stock,
				    const struct cpu_ops *kvm, const struct cpu_ops *emu,
				    char **ret_reason, GError **error)
{
	g_autoptr(GError) why = NULL;

	*ret_reason = NULL;
	if (choice == ENGINE_EMU)
		return emu;
	if ((choice == ENGINE_KVM && !stock) || kvm->can_run_stock(&why))
		return kvm;
	if (choice == ENGINE_AUTO) {
		*ret_reason = g_strdup(why->message);
		return emu;
	}
	g_propagate_error(error, g_steal_pointer(&why));
	g_prefix_error(error, "KVM cannot run this kernel, use --engine emu: ");
	return NULL;
}

char *engine_list(const struct cpu_ops *const *engines)
{
	GString *text = g_string_new(NULL);

	for (; *engines; engines++) {
		g_autoptr(GError) error = NULL;

		if ((*engines)->can_run_stock(&error))
			g_string_append_printf(text, "%s  can run stock kernels\n",
					       (*engines)->name);
		else
			g_string_append_printf(
				text, "%s  %s: %s\n", (*engines)->name,
				g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED)
					? "cannot run stock kernels"
					: "cannot be used",
				error->message);
	}
	return g_string_free(text, FALSE);
}
