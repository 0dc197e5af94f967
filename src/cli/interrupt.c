/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.c - Ctrl-C in a command that makes things: what is there goes again
 *
 * Signals are noted by a handler, on the main thread. Only while a call may have to be cut short that thread
 * blocks them, and another one, which can close a connection, waits for them. It stays when the call has come
 * back: then the kernel gives them to the main thread again. What comes to it all the same (the main thread has not
 * come to take the last one yet) is handed on.
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
	atomic_bool noted;
	bool active;
	sigset_t wanted;
	struct sigaction old[G_N_ELEMENTS(signals)];
	pthread_t main;
	struct thread *thread; /* NULL: not needed yet */
	pthread_mutex_t lock;  /* guards conn */
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

/* The second one ends the program. */
static void note(int sig)
{
	if (atomic_exchange(&state.noted, true))
		end_at_once(sig);
}

static void take_signals(void *arg)
{
	int sig;

	(void)arg;
	while (!sigwait(&state.wanted, &sig)) {
		pthread_mutex_lock(&state.lock);
		if (state.conn) {
			note(sig);
			socle_conn_close(state.conn);
		} else {
			(void)pthread_kill(state.main, sig);
		}
		pthread_mutex_unlock(&state.lock);
	}
}

/* What nohup and the like have switched off stays so. */
static void choose(void)
{
	struct sigaction old;

	sigemptyset(&state.wanted);
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&state.wanted, signals[i]);
	}
}

void interrupt_begin(void)
{
	const struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

	if (state.active)
		return;
	state.active = true;
	state.main = pthread_self();
	/* A thread that is there has read it, and does so again. */
	if (!state.thread)
		choose();
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
		if (sigismember(&state.wanted, signals[i]))
			(void)sigaction(signals[i], &action, &state.old[i]);
	}
}

void interrupt_end(void)
{
	if (!state.active)
		return;
	state.active = false;
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
		if (sigismember(&state.wanted, signals[i]))
			(void)sigaction(signals[i], &state.old[i], NULL);
	}
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

/* Without a thread, a call goes on to its end. */
static void watch(struct socle_conn *conn)
{
	if (conn && !state.thread)
		state.thread = thread_start("signals", take_signals, NULL, NULL);
	if (state.thread)
		(void)pthread_sigmask(conn ? SIG_BLOCK : SIG_UNBLOCK, &state.wanted, NULL);
}

void interrupt_closes(struct socle_conn *conn)
{
	if (!state.active)
		return;
	if (conn)
		watch(conn);
	pthread_mutex_lock(&state.lock);
	state.conn = conn;
	/* It came before. */
	if (conn && interrupted())
		socle_conn_close(conn);
	pthread_mutex_unlock(&state.lock);
	if (!conn)
		watch(NULL);
}
