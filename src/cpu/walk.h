/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.h - where a linear address of a guest lies in its memory
 *
 * For those who look at a guest from outside: no access rights are checked, and no bits are set.
 *
 * Threads: any; who wants to see one moment stops the vCPUs.
 */
#ifndef CPU_WALK_H
#define CPU_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct mem;
struct x86_state;

/**
 * x86_walk() - a linear address by the paging of a vCPU
 * @ret_gpa: where it is
 * @ret_len: how many bytes from there on are mapped together: up to the end of the page
 *
 * Return: false if it is not mapped, or if its tables are not in memory
 */
bool x86_walk(const struct mem *mem, const struct x86_state *state, uint64_t linear,
	      uint64_t *ret_gpa, uint64_t *ret_len);

#endif
