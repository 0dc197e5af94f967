/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start64.S - from the multiboot entry (32 bits, no paging) to main() in long mode
 *
 * Maps 4 GiB one to one by 2 MiB pages, open to user mode. The descriptor tables are guest.h's.
 */
	.section .multiboot, "a"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.code32
	.globl start
start:
	cli
	movl $stack_top, %esp
	movl $pml4, %edi
	movl $pdpt + 7, (%edi)
	movl $pdpt, %edi
	movl $pd + 7, %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $4096, %eax
	loop 1b
	movl $pd, %edi
	movl $0x87, %eax
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x200000, %eax
	loop 2b
	movl $0x620, %eax	/* PAE OSFXSR OSXMMEXCPT */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x900, %eax	/* LME NXE */
	wrmsr
	movl $0x80010033, %eax	/* PG WP NE ET MP PE */
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $start_64

	.code64
start_64:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movabsq $stack_top, %rsp
	xorl %ebp, %ebp
	call guest_init
	call main
	movl %eax, %edi
	call guest_exit

	/* void start_ap(void): second CPUs come here from real mode by way of 0x8000 */
	.globl ap_trampoline, ap_trampoline_end
	.code16
ap_trampoline:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl 0x8000 + (ap_gdt_pointer - ap_trampoline)
	movl $0x620, %eax
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl $0x80010033, %eax
	movl %eax, %cr0
	ljmpl $8, $ap_64
	.balign 8
ap_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
ap_trampoline_end:
	.code64
ap_64:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl $1, %eax
	lock xaddl %eax, ap_count
	incl %eax
	movl %eax, %edi
	shll $14, %eax
	leaq ap_stacks(%rax), %rsp
	lidt idt_pointer
	xorl %ebp, %ebp
	call ap_main
3:	cli
	hlt
	jmp 3b

	/* Vectors: all push a vector and an error code and go to trap(). */
	.globl vectors
	.balign 16
vectors:
	.set n, 0
	.rept 256
	.balign 16
	.if !(n == 8 || n == 10 || n == 11 || n == 12 || n == 13 || n == 14 || n == 17)
	pushq $0
	.endif
	pushq $n
	jmp common
	.set n, n + 1
	.endr
common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	/* int guest_try(void (*fn)(void)): 0 if it returned, 1 if trap() came to guest_abort */
	.globl guest_try, guest_abort
guest_try:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, try_rsp
	call *%rdi
	xorl %eax, %eax
	jmp 4f
guest_abort:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movq try_rsp, %rsp
	movl $1, %eax
4:	movq $0, try_rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	/* void guest_user(void (*fn)(void)): in ring 3 on a stack of its own; int 0x80 returns */
	.globl guest_user, guest_user_back
guest_user:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, user_rsp
	leaq -64(%rsp), %rax
	movq %rax, tss + 4
	pushq $0x2b
	pushq $user_stack_top
	pushq user_flags
	pushq $0x33
	pushq %rdi
	movl $0x2b, %eax
	movl %eax, %ds
	movl %eax, %es
	iretq
guest_user_back:
	movl $0x10, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movq user_rsp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.data
	.globl user_flags, gdt, gdt_end
user_flags:
	.quad 2
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 08 code, 64 bits */
	.quad 0x00cf93000000ffff	/* 10 data */
	.quad 0x00cf9b000000ffff	/* 18 code, 32 bits */
	.quad 0x00cffb000000ffff	/* 20 user code, 32 bits */
	.quad 0x00cff3000000ffff	/* 28 user data */
	.quad 0x00affb000000ffff	/* 30 user code, 64 bits */
	.quad 0, 0			/* 38 TSS, by guest_init() */
	.quad 0x00cf92000000ffff	/* 48 data, not accessed yet */
	.quad 0x00cf12000000ffff	/* 50 data, not present */
	.quad 0x00cf90000000ffff	/* 58 data, read-only */
	.quad 0x00cf98000000ffff	/* 60 code, execute-only */
	.quad 0x00cfb2000000ffff	/* 68 data of level 1 */
	.quad 0x00af9e000000ffff	/* 70 code, conforming, 64 bits */
	.quad 0, 0			/* 78 free, for tests */
	.quad 0, 0			/* 88 free, for tests */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt

	.bss
	.balign 4096
	.globl pml4, pdpt, pd, tss, try_rsp, ap_count, stack_top, user_stack_top
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 4 * 4096
tss:	.skip 8192 + 256
	.balign 16
	.skip 32768
stack_top:
	.skip 16384
user_stack_top:
ap_stacks:
	.skip 16384 * 9
try_rsp: .skip 8
user_rsp: .skip 8
ap_count: .skip 4
	.section .note.GNU-stack, "", @progbits
