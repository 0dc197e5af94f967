/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seed.h - what a new guest is told by a small CD: cloud-init's data source NoCloud
 *
 * Threads: any. Nothing here touches a file.
 */
#ifndef CLI_SEED_H
#define CLI_SEED_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	SEED_FILE_MAX = 1 << 20, /* bytes of one of its files; cloud-init takes no more */
};

struct seed {
	char *meta_data, *user_data;
	char *network_config; /* or NULL: the guest asks DHCP on its first card */
	char *vendor_data;    /* or NULL: what is done beside, whatever the user says */
};

void seed_free(struct seed *seed);
DEFINE_AUTOPTR(seed, seed_free);

/* Who the guest is: a new @instance makes cloud-init do all that belongs to a first start. */
char *seed_meta_data(const char *instance, const char *hostname, char *const *keys);
/* The same texts for another guest; NULL if they are not such as ours: JSON. */
char *seed_meta_data_anew(const char *text, const char *instance, const char *hostname);
/* Vendor's data for a guest that begins as another one: it makes itself a machine-id, once; host keys are new anyway. */
char *seed_vendor_data_anew(void);
/* DHCP on each of these cards. */
char *seed_network_config(const char *const *macs, unsigned count);
/* Is @line a public key as ssh-keygen writes it, with or without options before it? */
bool seed_is_key(const char *line);
/* Does cloud-init know by the text's beginning what to do with it? It drops the others without a word. */
bool seed_check_user_data(const char *text, GError **error);
/* A name of a host that @name can be: letters, digits, hyphens. */
char *seed_hostname(const char *name);

/* The CD: ISO 9660 with Joliet names, labelled CIDATA. */
GByteArray *seed_image(const struct seed *seed);
/* What is in such a CD, ours or one of others; NULL with an error if it is none. */
struct seed *seed_read(const uint8_t *image, size_t len, GError **error);

#endif
