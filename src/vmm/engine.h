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
 * @stock:      the guest is a stock kernel
 * @kvm, @emu:  the candidates
 * @ret_reason: set to why the software engine was taken by itself, for g_free(); else NULL
 *
 * Whoever insists on KVM gets it for guests that are no stock kernels: whether it can be opened at
 * all shows when it is.
 *
 * Return: the engine; NULL when KVM is insisted on and cannot run a stock kernel
 */
const struct cpu_ops *engine_choose(enum engine_choice choice, bool stock,
				    const struct cpu_ops *kvm, const struct cpu_ops *emu,
				    char **ret_reason, GError **error);

/* A line for each of them, up to a NULL: what it can do on this host. g_free() it. */
char *engine_list(const struct cpu_ops *const *engines);

#endif
