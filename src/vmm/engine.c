/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - which engine runs the guest
 */
#include "vmm/engine.h"

#include "cpu/cpu.h"

const struct cpu_ops *engine_choose(enum engine_choice choice, const struct cpu_ops *kvm,
				    const struct cpu_ops *emu, char **ret_reason)
{
	g_autoptr(GError) error = NULL;

	*ret_reason = NULL;
	if (choice == ENGINE_KVM)
		return kvm;
	if (choice == ENGINE_EMU)
		return emu;
	if (kvm->can_run_stock(&error))
		return kvm;
	*ret_reason = g_strdup(error ? error->message : "KVM cannot run stock kernels");
	return emu;
}
