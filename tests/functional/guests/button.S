/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * button.S - a Linux program that enables the interrupt of the ACPI power button
 *
 * Debian's kernels have the driver of the button in a module, and an initramfs of ours has no
 * modules. So this sets the bit that the driver would set. Pressed, the button raises the SCI, and
 * Linux counts it in /sys/firmware/acpi/interrupts/ff_pwr_btn. The end: 0 = done, 1 = not allowed.
 */
	.set SYS_EXIT, 60
	.set SYS_IOPERM, 173
	.set PM1_ENABLE, 0x602
	.set PWRBTN_EN, 1 << 8

	.text
	.globl _start
_start:
	mov	$SYS_IOPERM, %eax
	mov	$PM1_ENABLE, %edi
	mov	$2, %esi
	mov	$1, %edx
	syscall
	mov	$1, %edi
	test	%rax, %rax
	jnz	1f
	mov	$PM1_ENABLE, %edx
	in	%dx, %ax
	or	$PWRBTN_EN, %ax
	out	%ax, %dx
	xor	%edi, %edi
1:
	mov	$SYS_EXIT, %eax
	syscall

	.section .note.GNU-stack, "", @progbits
