/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * support.c - what machines of this host can have, found out when the daemon starts
 */
#include "daemon/support.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/config.h"
#include "model/support.h"

enum {
	PATIENCE_MS = 2000
};

/* What it says until it ends, or until we have no more patience. */
static void read_answer(int fd, char *text, size_t size)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000ll;
	size_t len = 0;

	while (len < size - 1) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		gint64 left = (end - g_get_monotonic_time()) / 1000;
		ssize_t n;

		if (left <= 0 || sys_poll(&pollfd, 1, (int)left) <= 0)
			break;
		n = sys_read(fd, text + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
}

/* socle-vm knows: it tries with a small guest. */
static bool kvm_works(const char *vm)
{
	const char *const words[] = { vm, "--engine", "list", NULL };
	g_autoptr(GError) error = NULL;
	char text[2048];
	autofd int fd = -1;
	const char *line;
	GPid pid;

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	if (!g_spawn_async_with_pipes(NULL, (char **)(uintptr_t)words, NULL,
				      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
				      NULL, &pid, NULL, &fd, NULL, &error)) {
		log_warning("machines cannot be started: %s", error->message);
		return false;
	}
	read_answer(fd, text, sizeof(text));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	line = strstr(text, "kvm ");
	return line && strstr(line, "can run stock kernels") &&
	       strstr(line, "can run stock kernels") < strchrnul(line, '\n');
}

void support_init(struct support *support, const struct config *config)
{
	static const char *const bios[] = {
		"/usr/share/seabios/bios-256k.bin",
		"/usr/share/seabios/bios.bin",
	};

	*support = (struct support){
		.emulator = config->vm,
		.kvm = kvm_works(config->vm),
		.pools = true,
		.bridges = !config->session && access("/dev/net/tun", R_OK | W_OK) == 0,
	};
	support->networks = support->bridges && geteuid() == 0;
	support->vnc = access("/usr/share/seabios/vgabios-stdvga.bin", R_OK) == 0 ||
		       access("/usr/share/qemu/vgabios-stdvga.bin", R_OK) == 0;
	for (unsigned i = 0; i < ARRAY_SIZE(bios); i++)
		support->bios |= access(bios[i], R_OK) == 0;
}
