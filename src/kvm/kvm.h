/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.h - the engine on /dev/kvm
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include "cpu/cpu.h"

extern const struct cpu_ops kvm_cpu_ops;

/**
 * kvm_use_dirty_ring() - log dirty pages in a ring for each vCPU instead of a bitmap
 * @entries: of each ring, a power of two from 256 to 65536; 0: the bitmap, which is the default
 *
 * Holds for engines opened from now on, on the main loop. Where KVM has no such ring, opening fails.
 * The bitmap is the default because it costs nothing while nobody logs, and its reading costs the
 * same for every guest; the ring pays for large guests that write little.
 */
void kvm_use_dirty_ring(unsigned entries);

#endif
