/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code.S - tiny guests for the KVM engine: 64 bits, ring 0, no operating system
 *
 * All of it is copied to CODE in the guest and entered at one of its labels, with %rsp set, memory
 * identity mapped, interrupts off. It keeps to what every flavour of KVM can do in ring 0: no SSE,
 * no int3, no sysret, no popcnt; handlers end in iretq. A guest ends with a byte to DONE_PORT.
 */
#include "code.h"

	.section .rodata.guest_code, "a"
	.code64

	.macro entry name
	.globl guest_\name
guest_\name:
	.endm

	.macro done
	movw $DONE_PORT, %dx
	outb %al, %dx
0:	hlt
	jmp 0b
	.endm

	entry code

/* ---- exits: ports, strings, memory-mapped I/O, RAM above 4 GiB ---- */
	entry io
	movw $LOG_PORT, %dx
	movb $0x12, %al
	outb %al, %dx
	movw $0x3456, %ax
	outw %ax, %dx
	movl $0x789abcde, %eax
	outl %eax, %dx
	inb %dx, %al
	movb %al, DATA
	inw %dx, %ax
	movw %ax, DATA + 2
	inl %dx, %eax
	movl %eax, DATA + 4

	cld
	movl $0x64636261, DATA + 0x100
	movb $0x65, DATA + 0x104
	movl $DATA + 0x100, %esi
	movl $5, %ecx
	rep outsb
	movl $DATA + 0x200, %edi
	movl $3, %ecx
	rep insw

	movl $MMIO_ADDR, %ebx
	movb $0x21, (%rbx)
	movw $0x4321, 2(%rbx)
	movl $0x87654321, 4(%rbx)
	movabsq $0x0123456789abcdef, %rax
	movq %rax, 8(%rbx)
	movl 4(%rbx), %eax
	movl %eax, DATA + 0x10
	movq 8(%rbx), %rax
	movq %rax, DATA + 0x18
	movl $0x44332211, 0xffd(%rbx)

	movabsq $HIGH_RAM, %rbx
	movabsq $0x1122334455667788, %rax
	movq %rax, 0x10(%rbx)
	movq 0x10(%rbx), %rax
	movq %rax, DATA + 0x20
	done

/* ---- the local APIC's timer ends HLT ---- */
	entry timer
	movl $APIC_ADDR, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $0xb, 0x3e0(%rbx)
	movl $VECTOR_TIMER, 0x320(%rbx)
	movl $1000000, 0x380(%rbx)
	movl $1, %r15d
	jmp wait_total

/* ---- wait for %r15 interrupts; COUNTS has one counter for each vector ---- */
	entry wait_irq
	movl $APIC_ADDR, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $IOAPIC_ADDR, %ebx
	movl $0x10 + 2 * TEST_GSI + 1, (%rbx)
	movl $0, 0x10(%rbx)
	movl $0x10 + 2 * TEST_GSI, (%rbx)
	movl $VECTOR_LINE, 0x10(%rbx)
	movw $LOG_PORT, %dx
	movb $READY, %al
	outb %al, %dx
wait_total:
	cli
	cmpl %r15d, TOTAL
	jae 1f
	sti
	hlt
	jmp wait_total
1:	done

	.macro handler name vector eoi
	entry \name
	pushq %rax
	incl COUNTS + 4 * \vector
	incl TOTAL
	.if \eoi
	movl $APIC_ADDR, %eax
	movl $0, 0xb0(%rax)
	.endif
	popq %rax
	iretq
	.endm

	handler on_nmi VECTOR_NMI 0
	handler on_timer VECTOR_TIMER 1
	handler on_line VECTOR_LINE 1
	handler on_msi VECTOR_MSI 1
	handler on_msi2 VECTOR_MSI2 1

/* ---- writes that are to arrive at eventfds, and one of each kind that is not ---- */
	entry notify
	movw $NOTIFY_PORT, %dx
	movw $7, %ax
	outw %ax, %dx
	outb %al, %dx
	movl $MMIO_ADDR, %ebx
	movl $1, 0x40(%rbx)
	movl $2, 0x40(%rbx)
	movl $3, 0x80(%rbx)
	movw $3, 0x80(%rbx)
	done

/*
 * ---- write a byte in %r15 pages from %rsi on, %r14 bytes apart; then again after each read of
 * LOG_PORT that gives something else than zero. Each page is followed by an exit: where ring 0 is
 * emulated, KVM looks at its dirty ring no more often than that, and overruns it ----
 */
	entry dirty
	movq %rsi, %rdi
	movq %r15, %rcx
1:	incb (%rdi)
	outb %al, $NOBODY_PORT
	addq %r14, %rdi
	decq %rcx
	jnz 1b
	movw $LOG_PORT, %dx
	movb $READY, %al
	outb %al, %dx
	inb %dx, %al
	testb %al, %al
	jnz guest_dirty
	done

/* ---- fill registers, wait until FLAG is set, see that they are still there ---- */
	entry state
	movl $MSR_LSTAR, %ecx
	movl $0x12345678, %eax
	movl $0xffff8000, %edx
	wrmsr
	movl $MSR_KERNEL_GS_BASE, %ecx
	movl $0x9abcdef0, %eax
	movl $0x7f, %edx
	wrmsr
	movl $5, %eax
	movq %rax, %cr8
	movl $APIC_ADDR, %eax
	movl $0x1ff, 0xf0(%rax)
	movl $0x10000 | VECTOR_TIMER, 0x320(%rax)
	movl $0x100 + 1, %ebx
	movl $0x100 + 4, %ebp
	movl $0x100 + 5, %esi
	movl $0x100 + 6, %edi
	movabsq $0x8888888888888888, %r8
	movabsq $0x9999999999999999, %r9
	movl $0x110, %r10d
	movl $0x111, %r11d
	movl $0x112, %r12d
	movl $0x113, %r13d
	movl $0x114, %r14d
	movabsq $0xffffffffffffff15, %r15
	movw $LOG_PORT, %dx
	movb $READY, %al
	outb %al, %dx
1:	incb SPINS
	cmpb $1, FLAG
	jne 1b
	movl $MSR_LSTAR, %ecx
	rdmsr
	cmpl $0x12345678, %eax
	jne 9f
	cmpl $0xffff8000, %edx
	jne 9f
	movl $MSR_KERNEL_GS_BASE, %ecx
	rdmsr
	cmpl $0x9abcdef0, %eax
	jne 9f
	cmpl $0x7f, %edx
	jne 9f
	movq %cr8, %rax
	cmpl $5, %eax
	jne 9f
	movl $APIC_ADDR, %eax
	cmpl $0x1ff, 0xf0(%rax)
	jne 9f
	cmpl $0x10000 | VECTOR_TIMER, 0x320(%rax)
	jne 9f
	cmpl $0x101, %ebx
	jne 9f
	cmpl $0x104, %ebp
	jne 9f
	cmpl $0x105, %esi
	jne 9f
	cmpl $0x106, %edi
	jne 9f
	movabsq $0x8888888888888888, %rax
	cmpq %rax, %r8
	jne 9f
	movabsq $0x9999999999999999, %rax
	cmpq %rax, %r9
	jne 9f
	cmpl $0x110, %r10d
	jne 9f
	cmpl $0x114, %r14d
	jne 9f
	cmpq $0xffffffffffffff15, %r15
	jne 9f
	movw $LOG_PORT, %dx
	movb $PASSED, %al
	outb %al, %dx
	done
9:	movw $LOG_PORT, %dx
	movb $BROKEN, %al
	outb %al, %dx
	done

/* ---- for kicks ---- */
	entry spin
	incq COUNTS
	jmp guest_spin

/* Exits all the time: kicks hit every part of the run loop. */
	entry chatter
	movw $LOG_PORT, %dx
1:	inl %dx, %eax
	cmpl $READ_VALUE, %eax
	jne 9b
	incq COUNTS
	jmp 1b

/* ---- start CPU 1 with INIT, SIPI, SIPI; its code is at AP_CODE ---- */
	entry smp
	movl $APIC_ADDR, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $1 << 24, 0x310(%rbx)
	movl $0x4500, 0x300(%rbx)
	movl $1 << 24, 0x310(%rbx)
	movl $0x4600 | AP_CODE >> 12, 0x300(%rbx)
	movl $1 << 24, 0x310(%rbx)
	movl $0x4600 | AP_CODE >> 12, 0x300(%rbx)
1:	pause
	cmpb $READY, AP_FLAG
	jne 1b
	done

	.code16
	entry ap
	movw %cs, %ax
	movw %ax, %ds
	movb $READY, AP_FLAG - AP_CODE
1:	hlt
	jmp 1b
	entry ap_end
	.code64

/* ---- the end of all things ---- */
	entry triple
	lidt NO_IDT
	ud2

	entry internal
	movl $MMIO_ADDR, %eax
	jmp *%rax

	entry unknown
	int3
	done

	entry end

	.section .note.GNU-stack, "", @progbits
