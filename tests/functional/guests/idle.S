/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle.S - a guest that does nothing, and costs nothing: for many machines at once
 */
	.code32
	.section .text
	.globl _start

	.balign 4
	.long 0x1badb002, 0, -0x1badb002

_start:
	cli
1:	hlt
	jmp 1b
