/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start32.S - 32-bit guests: entry, vectors, user mode, calls into real mode and virtual-8086 mode
 */
	.section .multiboot, "a"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.globl start
start:
	cli
	movl $stack_top, %esp
	lgdt gdt_pointer
	ljmp $8, $1f
1:	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	xorl %ebp, %ebp
	call guest_init
	call main
	pushl %eax
	call guest_exit

	.globl vectors
	.balign 16
vectors:
	.set n, 0
	.rept 256
	.balign 16
	.if !(n == 8 || n == 10 || n == 11 || n == 12 || n == 13 || n == 14 || n == 17)
	pushl $0
	.endif
	pushl $n
	jmp common
	.set n, n + 1
	.endr
common:
	pushl %gs
	pushl %fs
	pushl %es
	pushl %ds
	pushal
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	cld
	movl %esp, %eax
	pushl %eax
	call trap
	popl %eax
	popal
	popl %ds
	popl %es
	popl %fs
	popl %gs
	addl $8, %esp
	iretl

	/* int guest_try(void (*fn)(void)) */
	.globl guest_try, guest_abort
guest_try:
	movl 4(%esp), %eax
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl %esp, try_sp
	call *%eax
	xorl %eax, %eax
	jmp 2f
guest_abort:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl try_sp, %esp
	movl $1, %eax
2:	movl $0, try_sp
	popl %edi
	popl %esi
	popl %ebp
	popl %ebx
	ret

	/* void guest_user(void (*fn)(void)): ring 3 until int 0x80 or a fault */
	.globl guest_user, guest_vm86, guest_user_back
guest_user:
	movl 4(%esp), %eax
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl %esp, user_sp
	leal -64(%esp), %ecx
	movl %ecx, tss + 4
	pushl $0x2b
	pushl $user_stack_top
	pushl user_flags
	pushl $0x23
	pushl %eax
	movl $0x2b, %eax
	movl %eax, %ds
	movl %eax, %es
	iretl
	/* void guest_vm86(unsigned ip): at 0800:ip, stack 0800:1000, data segments 0801 to 0804 */
guest_vm86:
	movl 4(%esp), %eax
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl %esp, user_sp
	leal -64(%esp), %ecx
	movl %ecx, tss + 4
	pushl $0x804	/* GS FS DS ES */
	pushl $0x803
	pushl $0x802
	pushl $0x801
	pushl $0x800
	pushl $0x1000
	pushl vm86_flags
	pushl $0x800
	pushl %eax
	iretl
guest_user_back:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl user_sp, %esp
	popl %edi
	popl %esi
	popl %ebp
	popl %ebx
	ret

	/* unsigned guest_real(void): run the code copied to 0x8000 in real mode at 0800:0000 and come
	 * back with its AX; it ends with a far jump to 0000:back16, which is in the copied part, too */
	.globl guest_real, real_begin, real_end, real_call
guest_real:
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl %esp, real_sp
	sidt real_idt32
	lidt real_idt
	ljmp $0x78, $0x9000	/* 16-bit code, base 0 */
real_begin:
	.code16
	movw $0x80, %ax		/* 16-bit data */
	movw %ax, %ss
	movw %ax, %ds
	movw %ax, %es
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $0, $0x9000 + (3f - real_begin)
3:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7000, %sp
	lcall $0x0800, $0
	movw %ax, 0x9ff0
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $real_back
real_end:
	.code32
real_back:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl real_sp, %esp
	lidt real_idt32
	movzwl 0x9ff0, %eax
	popl %edi
	popl %esi
	popl %ebp
	popl %ebx
	ret

	.data
	.globl user_flags, vm86_flags, gdt, gdt_end
user_flags: .long 2
vm86_flags: .long 0x20002
real_idt:
	.word 0x3ff
	.long 0
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 08 code */
	.quad 0x00cf93000000ffff	/* 10 data */
	.quad 0x00409b000000ffff	/* 18 code of 64 KiB, base 0 */
	.quad 0x00cffb000000ffff	/* 20 user code */
	.quad 0x00cff3000000ffff	/* 28 user data */
	.quad 0				/* 30 TSS, by guest_init() */
	.quad 0x0040920080000fff	/* 38 data at 0x8000, 4 KiB */
	.quad 0x0040960080000fff	/* 40 the same, expand-down: above 0xfff */
	.quad 0x0040900080000fff	/* 48 the same, read-only */
	.quad 0x0040980080000fff	/* 50 code there, execute-only */
	.quad 0x00409a0080000fff	/* 58 code there, readable */
	.quad 0x0040120080000fff	/* 60 data there, not present */
	.quad 0x00c096000000000f	/* 68 expand-down, big: above 0xffff */
	.quad 0x0000960080000fff	/* 70 expand-down, 16 bits: 0x1000 to 0xffff */
	.quad 0x00009a000000ffff	/* 78 16-bit code */
	.quad 0x000092000000ffff	/* 80 16-bit data */
	.quad 0x00cfb2000000ffff	/* 88 data of level 1 */
	.quad 0x00cf9e000000ffff	/* 90 conforming code */
	.quad 0				/* 98 free */
	.quad 0				/* a0 free */
	.quad 0				/* a8 free */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	.bss
	.balign 4096
	.globl tss, try_sp, stack_top, user_stack_top
tss:	.skip 8192 + 256
	.balign 16
	.skip 32768
stack_top:
	.skip 16384
user_stack_top:
try_sp: .skip 4
user_sp: .skip 4
real_sp: .skip 4
real_idt32: .skip 8
	.section .note.GNU-stack, "", @progbits
