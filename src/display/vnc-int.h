/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc-int.h - what the server's two sides share: vnc.c on the main loop, vnc-client.c on its threads
 */
#ifndef DISPLAY_VNC_INT_H
#define DISPLAY_VNC_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/surface.h"
#include "display/vnc.h"

struct acceptor;
struct thread;

enum {
	VNC_EVENTS = 64, /* of a client that wait for the main loop */
};

enum vnc_event_kind {
	VNC_EVENT_KEY,
	VNC_EVENT_POINTER,
	VNC_EVENT_CAME, /* it is in: the password was right, or none was asked for */
	VNC_EVENT_GONE, /* the last: its thread ends */
};

struct vnc_event {
	enum vnc_event_kind kind;
	uint8_t key;
	bool down;
	int dx, dy, dz;
	unsigned buttons;
};

struct vnc_client {
	struct vnc *vnc;
	unsigned slot; /* in the server's screens */
	bool trusted;
	bool came;          /* [main] its coming was told */
	int fd, control_fd; /* of the thread, which closes it; the main loop's own of the same */
	int wake_fd;        /* eventfd: changes, or the end */
	struct thread *thread;
	uint64_t deadline_ns; /* until then it has to be in */
	char address[64];

	/* Guarded by the server's lock: */
	bool ending, in;
	bool resized;
	struct surface_rows changed;
	struct vnc_event event[VNC_EVENTS];
	unsigned events;
	pthread_cond_t room; /* in event */
};

struct vnc {
	struct vnc_config config;
	char *name;
	struct acceptor *acceptor; /* NULL: does not listen */
	guint accept_source, look_source;
	unsigned idle_looks;        /* how many in a row saw nothing new */
	GPtrArray *clients;         /* of struct vnc_client */
	void *screens[VNC_CLIENTS]; /* libvncserver's, each for one client at a time */
	bool taken[VNC_CLIENTS];

	pthread_mutex_t lock; /* guards what follows, and what clients say it does */
	char password[VNC_PASSWORD_LEN + 1];
	bool has_password;
	int64_t expires;
	bool closing;       /* nobody delivers events any more */
	guint event_source; /* to deliver events; 0: there are none */
};

/* [main] libvncserver's screens, before the first client: the library makes a lock anew with each, which
 * its threads may hold. vnc-client.c */
bool vnc_screens_open(struct vnc *vnc);
void vnc_screens_close(struct vnc *vnc);
/* The thread of a client; vnc-client.c. */
void vnc_client_run(void *arg);
/* [client] Hand it to the main loop; waits while there is no room. */
void vnc_client_post(struct vnc_client *client, const struct vnc_event *event);
/* [client] The password that counts now, into @ret of VNC_PASSWORD_LEN + 1 bytes; false: none does. */
bool vnc_current_password(struct vnc *vnc, char *ret);

#endif
