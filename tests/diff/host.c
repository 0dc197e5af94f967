/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.c - run cases on the host CPU
 *
 * A child process maps the address space of a case and enters it by returning from a signal handler
 * whose context was filled in; the exception that ends the case brings it back into the handler,
 * which notes the state and prepares the next case. Strict seccomp keeps whatever bytes a case runs
 * into from calling the system. Pointers beside the end of canonical addresses meet what the kernel
 * maps there, so the child gives up its first stack and the vDSO. A case that does not end is found out by a CPU time limit: the
 * child dies, and the next one goes on behind it.
 *
 * The handler may find FS changed, so it uses no thread-local storage: this file is compiled without
 * stack protector. It is compiled without sanitizers, too, and gives up their shadow, which lies
 * where cases point to by chance.
 */
#include "diff.h"

#include <asm/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	SEED_POOL = 64
};

/* Shared with the child. */
static struct {
	volatile unsigned next; /* the case that runs */
	unsigned count;
} * shared;
static struct test_case *cases;
static struct result *results;
static unsigned max_cases;

/* Mappings at the top of the address space that nobody needs while cases run. */
static struct {
	uintptr_t start, end;
} top[8];
static unsigned top_count;

static uint8_t *code_alias; /* the code pages, writable */
static bool running;

/* The library's own may belong to a sanitizer. */
static void copy(void *to, const void *from, size_t len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static void fill(void *to, uint8_t byte, size_t len)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
}

static void *map(void *addr, size_t len, int prot, int flags, int fd)
{
	void *p = mmap(addr, len, prot, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The stack has grown and may do so again; there are 128 MiB of nothing below it. */
static void find_top(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start, end;
	char line[512], name[32];

	while (maps && fgets(line, sizeof(line), maps) &&
	       top_count < sizeof(top) / sizeof(top[0])) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s [%31[a-z_]]", &start, &end, name) != 3)
			continue;
		if (strcmp(name, "stack") == 0)
			start -= 64 << 20;
		else if (strcmp(name, "vdso") != 0 && strncmp(name, "vvar", 4) != 0)
			continue;
		top[top_count].start = start;
		top[top_count++].end = end;
	}
	if (maps)
		(void)fclose(maps);
}

bool host_init(unsigned max_count)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS;

	find_top();

	max_cases = max_count;
	shared = map(NULL, PAGE, PROT_READ | PROT_WRITE, flags, -1);
	cases = map(NULL, max_count * sizeof(*cases), PROT_READ | PROT_WRITE, flags, -1);
	results = map(NULL, max_count * sizeof(*results), PROT_READ | PROT_WRITE, flags, -1);
	return shared && cases && results;
}

static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static uint8_t *page_of(unsigned i)
{
	return (uint8_t *)(uintptr_t)((i < 2 ? DATA_ADDR : STACK_ADDR) + (i & 1) * PAGE);
}

static void capture(const ucontext_t *uc, struct result *r)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	for (unsigned i = 0; i < 16; i++)
		r->regs.gpr[i] = (uint64_t)g[greg_of[i]];
	r->regs.rip = (uint64_t)g[REG_RIP];
	r->regs.rflags = (uint64_t)g[REG_EFL];
	copy(r->regs.fx, uc->uc_mcontext.fpregs, FX_SIZE);
	r->vector = (unsigned)g[REG_TRAPNO];
	r->error = (uint64_t)g[REG_ERR];
	r->cr2 = (uint64_t)g[REG_CR2];
	for (unsigned i = 0; i < DATA_PAGES; i++)
		copy(r->mem[i], page_of(i), PAGE);
	r->ran = true;
}

static void prepare(ucontext_t *uc, const struct test_case *c)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t magic;
	uint64_t bv;

	fill(code_alias, 0xcc, CODE_PAGES * PAGE);
	copy(code_alias + (c->regs.rip - CODE_ADDR), c->code, c->code_len);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		copy(page_of(i), results[shared->next].mem[i], PAGE);

	for (unsigned i = 0; i < 16; i++)
		g[greg_of[i]] = (greg_t)c->regs.gpr[i];
	g[REG_RIP] = (greg_t)c->regs.rip;
	g[REG_EFL] = (greg_t)c->regs.rflags;
	copy(fx, c->regs.fx, FX_SIZE);
	/* The kernel says at byte 464 if an XSAVE header follows, with a bit for what is valid. */
	copy(&magic, fx + 464, sizeof(magic));
	if (magic == 0x46505853) {
		copy(&bv, fx + 512, sizeof(bv));
		bv |= 3;
		copy(fx + 512, &bv, sizeof(bv));
	}
}

/* On the stack of signals, which is the only one from here on. */
static void lock_in(void)
{
	for (unsigned i = 0; i < top_count; i++)
		(void)syscall(SYS_munmap, top[i].start, top[i].end - top[i].start);
#ifdef ASAN_SHADOW
	(void)syscall(SYS_munmap, 0x7fff8000, 0x10007fff8000 - 0x7fff8000);
#endif
	if (syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		(void)syscall(SYS_exit_group, 3);
}

static void handler(int sig, siginfo_t *info, void *opaque)
{
	ucontext_t *uc = opaque;

	(void)sig;
	(void)info;
	if (running)
		capture(uc, &results[shared->next++]);
	else
		lock_in();
	running = true;
	if (shared->next == shared->count)
		(void)syscall(SYS_exit, 0);
	prepare(uc, &cases[shared->next]);
}

static bool map_space(void)
{
	int fixed = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	int fd = memfd_create("code", MFD_CLOEXEC);
	void *code = (void *)(uintptr_t)CODE_ADDR;
	void *ro = (void *)(uintptr_t)RO_ADDR;

	if (fd < 0 || ftruncate(fd, CODE_PAGES * PAGE) < 0)
		return false;
	code_alias = map(NULL, CODE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (!code_alias)
		return false;
	memset(code_alias, 0xcc, CODE_PAGES * PAGE);
	if (!map(code, CODE_PAGES * PAGE, PROT_READ | PROT_EXEC,
		 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd) ||
	    !map(page_of(0), 2 * PAGE, PROT_READ | PROT_WRITE, fixed, -1) ||
	    !map(page_of(2), 2 * PAGE, PROT_READ | PROT_WRITE, fixed, -1) ||
	    !map(ro, PAGE, PROT_READ | PROT_WRITE, fixed, -1))
		return false;
	case_ro_page(ro);
	return mprotect(ro, PAGE, PROT_READ) == 0;
}

static void child(void)
{
	static uint8_t alt_stack[65536];
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1 };
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct itimerval limit = { .it_value = { .tv_sec = 1 } };

	if (!map_space() || sigaltstack(&ss, NULL) < 0)
		_exit(3);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &sa, NULL) < 0)
			_exit(3);
	(void)signal(SIGPROF, SIG_DFL);
	(void)setitimer(ITIMER_PROF, &limit, NULL);
	(void)syscall(SYS_arch_prctl, ARCH_SET_GS, DATA_ADDR);
	__asm__ volatile("int3");
}

bool host_run(const struct test_case *from, struct result *to, unsigned count)
{
	if (count > max_cases)
		return false;
	memcpy(cases, from, count * sizeof(*cases));
	for (unsigned i = 0; i < count; i++) {
		results[i].ran = false;
		case_memory(cases[i].seed, results[i].mem);
	}
	shared->count = count;
	shared->next = 0;
	while (shared->next < count) {
		int status;
		pid_t pid;

		running = false;
		pid = fork();
		if (pid < 0)
			return false;
		if (pid == 0)
			child();
		if (waitpid(pid, &status, 0) != pid)
			return false;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
			(void)fprintf(stderr, "diff: the child cannot be set up\n");
			return false;
		}
		if (shared->next < count)
			shared->next++; /* it died of this one */
	}
	memcpy(to, results, count * sizeof(*to));
	return true;
}
