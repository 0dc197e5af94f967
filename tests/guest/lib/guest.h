/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - for small bare-metal guests: output, faults as values, user mode, interrupts
 *
 * A guest prints its log on COM1 and returns main()'s value through the debug-exit port. What it
 * prints must be the same on every engine and at every address: no pointers, no times.
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long uptr;

enum {
	DE = 0,
	DB,
	NMI,
	BP,
	OF,
	BR,
	UD,
	NM,
	DF,
	TS = 10,
	NP,
	SS,
	GP,
	PF,
	MF = 16,
	AC,
	XM = 19
};

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* Prints with %s %d %u %x %c, %lx and %lu (64 bits), %%. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void guest_exit(int code);
/* "name: ok" or "name: WRONG", counted. */
void check(const char *name, int ok);
extern int guest_failures;

#ifdef __x86_64__
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

extern u64 pml4[512], pdpt[512], pd[2048], gdt[];
extern u8 tss[];
extern u8 vectors[][16];
extern u64 user_flags;
extern char stack_top[], user_stack_top[];
extern volatile u32 ap_count;

/* The last fault that guest_try() caught. */
extern struct frame last;
extern u64 last_cr2, last_dr6;
/* Called instead of catching, if set: return 1 if handled. */
extern int (*guest_handler)(struct frame *f);

int guest_try(void (*fn)(void));
/* In ring 3 until a fault, int $0x80, or USER_RETURN, which a KVM that is a software flavour knows
 * as well: an opcode that is none, with a mark behind it. */
void guest_user(void (*fn)(void));
#define USER_RETURN __asm__ volatile("ud2; .byte 0x53, 0x56")
enum {
	USER_RETURN_BYTES = 0x56530b0f
};
/* Run it and print "name: -" or "name: #GP(0010)", for page faults with CR2. */
void try_print(const char *name, void (*fn)(void));
void try_user_print(const char *name, void (*fn)(void));
void set_gate(unsigned vector, void *to, unsigned type, unsigned dpl, unsigned ist);
void guest_map(u64 lin, u64 pte); /* a 4 KiB page below 4 GiB; splits large pages */
u64 *guest_pte(u64 lin);
void guest_start_aps(unsigned count); /* they run ap_main(1..count) */
void ap_main(int number);

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline void cpuid(u32 leaf, u32 sub, u32 r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(sub));
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

#define READ_CR(n)                                                 \
	({                                                         \
		u64 v_;                                            \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); \
		v_;                                                \
	})
#define WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n ::"r"((u64)(v)) : "memory")
#define READ_DR(n)                                                 \
	({                                                         \
		u64 v_;                                            \
		__asm__ volatile("mov %%db" #n ", %0" : "=r"(v_)); \
		v_;                                                \
	})
#define WRITE_DR(n, v) __asm__ volatile("mov %0, %%db" #n ::"r"((u64)(v)) : "memory")
static inline void invlpg(u64 lin)
{
	__asm__ volatile("invlpg (%0)" ::"r"(lin) : "memory");
}
#else
struct frame {
	u32 edi, esi, ebp, esp_, ebx, edx, ecx, eax, ds, es, fs, gs;
	u32 vector, error, eip, cs, eflags, esp, ss, v86_es, v86_ds, v86_fs, v86_gs;
};

extern u64 gdt[], idt[];
extern u8 tss[];
extern u8 vectors[][16];
extern u32 user_flags, vm86_flags;
extern char stack_top[], user_stack_top[];
extern struct frame last;
extern u32 last_cr2;
extern int (*guest_handler)(struct frame *f);

int guest_try(void (*fn)(void));
void guest_user(void (*fn)(void));
void guest_vm86(unsigned ip);
unsigned guest_real(void);
void print_fault(void);
void try_print(const char *name, void (*fn)(void));
void try_user_print(const char *name, void (*fn)(void));
void set_gate(unsigned vector, void *to, unsigned type, unsigned dpl);
/* Put code at 0800:0000 for real or virtual-8086 mode. */
void put_code16(const char *begin, const char *end);

#define READ_CR(n)                                                 \
	({                                                         \
		u32 v_;                                            \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); \
		v_;                                                \
	})
#define WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n ::"r"((u32)(v)) : "memory")
#endif

#endif
