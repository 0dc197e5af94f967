/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.S - a guest that does what it is told on its serial port
 *
 * Multiboot 1, 32-bit protected mode, polling, no stack. It prints 'B' when it starts, then echoes
 * what it receives, except for
 *   q  power off      r  reset        c  triple fault
 *   d  the next byte goes to the debug exit port
 *   F  print 72,000 bytes             H  stop for good
 */
	.code32
	.section .text
	.globl _start

	.balign 4
	.long 0x1badb002, 0, -0x1badb002

_start:
	cli
	mov $'B', %al
	mov $1f, %edi
	jmp send
1:
next:
	mov $1f, %edi
	jmp receive
1:	cmp $'q', %al
	je power_off
	cmp $'r', %al
	je reset
	cmp $'c', %al
	je crash
	cmp $'d', %al
	je debug_exit
	cmp $'F', %al
	je flood
	cmp $'H', %al
	je stop
	mov $next, %edi

/* Send %al, go on at %edi. */
send:
	mov %al, %bl
	mov $0x3fd, %dx
1:	in %dx, %al
	test $0x20, %al
	jz 1b
	mov $0x3f8, %dx
	mov %bl, %al
	out %al, %dx
	jmp *%edi

/* Receive %al, go on at %edi. */
receive:
	mov $0x3fd, %dx
1:	in %dx, %al
	test $0x01, %al
	jz 1b
	mov $0x3f8, %dx
	in %dx, %al
	jmp *%edi

power_off:
	mov $0x604, %dx
	mov $0x3400, %ax
	out %ax, %dx
	jmp stop

reset:
	mov $0xcf9, %dx
	mov $6, %al
	out %al, %dx
	jmp stop

crash:
	lidt no_idt
	ud2

debug_exit:
	mov $1f, %edi
	jmp receive
1:	mov $0xf4, %dx
	out %al, %dx
	jmp next

flood:
	mov $6000, %ecx
2:	mov $text, %esi
3:	mov (%esi), %al
	mov $1f, %edi
	jmp send
1:	inc %esi
	cmp $text_end, %esi
	jb 3b
	dec %ecx
	jnz 2b
	jmp next

stop:
	cli
	hlt
	jmp stop

	.balign 8
no_idt:
	.word 0
	.long 0
text:
	.ascii "0123456789\r\n"
text_end:

	.section .note.GNU-stack, "", @progbits
