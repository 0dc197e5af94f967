/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code.h - what the tiny guests and the tests that run them agree on
 */
#ifndef CODE_H
#define CODE_H

/* Guest-physical addresses. */
#define PML4_ADDR   0x1000
#define PDPT_ADDR   0x2000
#define PD0_ADDR    0x3000 /* 0 to 1 GiB */
#define PD3_ADDR    0x4000 /* 3 to 4 GiB: devices */
#define PD4_ADDR    0x5000 /* 4 to 5 GiB */
#define GDT_ADDR    0x6000
#define IDT_ADDR    0x7000
#define TSS_ADDR    0x8000
#define AP_CODE     0x9000
#define AP_FLAG     0x9800
#define STACK_ADDR  0x10000
#define CODE        0x20000
#define DATA        0x30000
#define COUNTS      0x31000 /* of interrupts, 32 bits for each vector */
#define TOTAL       0x31800
#define FLAG        0x31804
#define SPINS       0x31805
#define NO_IDT      0x31810 /* ten zero bytes */
#define PAGES_ADDR  0x200000
#define LOW_RAM_LEN 0x2000000
#define HIGH_RAM    0x100000000
#define HIGH_LEN    0x200000
#define MMIO_ADDR   0xd0000000
#define MMIO_LEN    0x2000
#define IOAPIC_ADDR 0xfec00000
#define APIC_ADDR   0xfee00000

#define LOG_PORT    0x500
#define NOTIFY_PORT 0x520
#define DONE_PORT   0x5f0
#define NOBODY_PORT 0x80

#define READY  0x5a
#define PASSED 0xaa
#define BROKEN 0xee

#define READ_VALUE 0x44332211 /* what LOG_PORT and MMIO read as, in as many bytes as asked for */

#define TEST_GSI     20
#define VECTOR_NMI   2
#define VECTOR_TIMER 0x40
#define VECTOR_LINE  0x50
#define VECTOR_MSI   0x60
#define VECTOR_MSI2  0x61

#ifdef __ASSEMBLER__
#define MSR_LSTAR          0xc0000082
#define MSR_KERNEL_GS_BASE 0xc0000102
#endif

#endif
