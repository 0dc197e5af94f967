/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - which engine runs the guest
 */
#ifndef VMM_ENGINE_H
#define VMM_ENGINE_H

#include <glib.h>

#include "vmm/options.h"

struct cpu_ops;

/**
 * engine_choose() - by what the user wants and what this host can do
 * @kvm, @emu:  the candidates
 * @ret_reason: set to why the software engine was taken by itself, for g_free(); else NULL
 *
 * Whoever insists on KVM gets it also where it runs small guests only: whether it can be opened at
 * all shows when it is.
 */
const struct cpu_ops *engine_choose(enum engine_choice choice, const struct cpu_ops *kvm,
				    const struct cpu_ops *emu, char **ret_reason);

#endif
