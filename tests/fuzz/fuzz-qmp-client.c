/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-qmp-client.c - bytes of a machine's monitor, which may be anybody's, through the daemon's client
 *
 * The first byte says how the rest is split. Properties: each call has one answer, in the end at the
 * latest; a result or an error, never both; nothing is told behind the loss of the connection.
 */
#include <assert.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "base/sys.h"
#include "daemon/qmp-client.h"

enum {
	CALLS = 4
};

struct machine_lab {
	struct qmp_client *client;
	unsigned answers, calls;
	bool lost;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_answer(void *opaque, json_t *result, const GError *error)
{
	struct machine_lab *lab = opaque;

	assert(!result == (error != NULL));
	assert(!lab->lost);
	lab->answers++;
}

static void call(struct machine_lab *lab)
{
	lab->calls++;
	qmp_client_call(lab->client, "query-status", NULL, 0, on_answer, lab);
}

static void on_ready(void *opaque)
{
	struct machine_lab *lab = opaque;

	assert(!lab->lost && qmp_client_ready(lab->client));
	call(lab);
}

static void on_event(void *opaque, const char *name, const json_t *data)
{
	struct machine_lab *lab = opaque;

	assert(!lab->lost && name && (!data || json_is_object(data)));
	if (lab->calls < CALLS * 2)
		call(lab);
}

static void on_lost(void *opaque, const GError *error)
{
	struct machine_lab *lab = opaque;

	assert(error && lab->answers == lab->calls);
	lab->lost = true;
	g_clear_pointer(&lab->client, qmp_client_free);
}

static const struct qmp_client_ops ops = { on_ready, on_event, on_lost };

static void turn(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t piece = size ? 1 + (size_t)data[0] * 4 : 1;
	struct machine_lab lab = { 0 };
	char drain[1024];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return 0;
	lab.client = qmp_client_new(fds[0], &ops, &lab);
	for (unsigned i = 0; i < CALLS; i++)
		call(&lab);
	for (size_t off = 1; off < size && !lab.lost; off += piece) {
		(void)sys_write(fds[1], data + off, MIN(piece, size - off));
		turn();
		while (sys_read(fds[1], drain, sizeof(drain)) > 0)
			;
	}
	(void)close(fds[1]);
	turn();
	assert(lab.lost && lab.answers == lab.calls);
	return 0;
}
