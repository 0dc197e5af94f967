/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * support.h - what machines of this host can have, found out when the daemon starts
 */
#ifndef DAEMON_SUPPORT_H
#define DAEMON_SUPPORT_H

struct config;
struct support;

/* Takes at most two seconds. Its texts are the config's. */
void support_init(struct support *support, const struct config *config);

#endif
