/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.c - Ctrl-C in a command that makes things: what is there goes again
 *
 * Nobody waits for the end of the thread that takes the signals: it stays, and behind interrupt_end() gets none,
 * for the kernel gives them to the main thread, which does not block them any more. Only while that one has not
 * come to take the last signal may the next one go here; then it is handed on.
 */
#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/thread.h"
#include "cli/output.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static struct {
	atomic_bool noted, active;
	struct thread *thread; /* takes the signals, from the first interrupt_begin() on */
	pthread_t main;
	sigset_t wanted;
	pthread_mutex_t lock; /* guards conn */
	struct socle_conn *conn;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* As if nobody had caught it. */
static void end_at_once(int sig)
{
	sigset_t one;

	(void)signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	(void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	(void)raise(sig);
}

static void take_signals(void *arg)
{
	int sig;

	(void)arg;
	while (!sigwait(&state.wanted, &sig)) {
		if (!atomic_load(&state.active)) {
			(void)pthread_kill(state.main, sig);
			continue;
		}
		if (atomic_exchange(&state.noted, true))
			end_at_once(sig);
		pthread_mutex_lock(&state.lock);
		if (state.conn)
			socle_conn_close(state.conn);
		pthread_mutex_unlock(&state.lock);
	}
}

static bool start(GError **error)
{
	state.main = pthread_self();
	sigemptyset(&state.wanted);
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
		struct sigaction old;

		/* What nohup and the like have switched off stays so. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&state.wanted, signals[i]);
	}
	state.thread = thread_start("signals", take_signals, NULL, error);
	return state.thread != NULL;
}

bool interrupt_begin(GError **error)
{
	if (!state.thread && !start(error))
		return false;
	atomic_store(&state.active, true);
	(void)pthread_sigmask(SIG_BLOCK, &state.wanted, NULL);
	return true;
}

void interrupt_end(void)
{
	if (!atomic_exchange(&state.active, false))
		return;
	(void)pthread_sigmask(SIG_UNBLOCK, &state.wanted, NULL);
}

bool interrupted(void)
{
	return atomic_load(&state.noted);
}

bool interrupt_check(GError **error)
{
	return !interrupted() || error_set(error, SOCLE_ERROR_FAILED, "it was interrupted");
}

void interrupt_tell(const char *name, bool gone, GError **error)
{
	g_autofree char *shown = cli_plain(name);

	g_clear_error(error);
	error_set(error, SOCLE_ERROR_FAILED, "'%s' was interrupted, and %s", shown,
		  gone ? "what had been made of it is gone"
		       : "not all that had been made of it could be taken back");
}

void interrupt_closes(struct socle_conn *conn)
{
	pthread_mutex_lock(&state.lock);
	state.conn = conn;
	/* It came before. */
	if (conn && interrupted())
		socle_conn_close(conn);
	pthread_mutex_unlock(&state.lock);
}
