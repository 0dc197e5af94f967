/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - the command line of socle-vm
 *
 * One array has the options: it is what is parsed, what --help prints, and what the man page lists.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "vmm/screen.h"

enum engine_choice {
	ENGINE_AUTO,
	ENGINE_KVM,
	ENGINE_EMU,
};

/* Where the bytes of a serial port go. */
enum char_kind {
	CHAR_STDIO,
	CHAR_NONE,
	CHAR_PTY,
	CHAR_FILE,
	CHAR_UNIX,
};

struct char_spec {
	enum char_kind kind;
	char *path; /* CHAR_FILE, CHAR_UNIX */
};

/* What the command line asks for. */
enum options_action {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_ENGINES,
	OPTIONS_MAN, /* the man page's list of options; for the build */
};

struct cpu_model;
struct keyvalue;

/* A virtio console, or a port for an agent if it has a name. */
struct console_option {
	struct char_spec chr;
	char *name;
	unsigned slot; /* of the device that has all of them; 0: any */
};

struct options {
	enum options_action action;
	enum engine_choice engine;
	unsigned cpus;
	const struct cpu_model *model;
	uint64_t memory; /* bytes */
	char *kernel, *initrd, *append;
	char *firmware;     /* "bios" or a path; NULL: the kernel is loaded by us */
	char boot_order[4]; /* c disks, d CDs; as far as no bootindex says */
	bool boot_menu;
	unsigned boot_menu_wait_ms;
	bool vga; /* a screen, keyboard and mouse */
	unsigned vga_slot;
	struct vnc_option vnc;
	struct char_spec serial;
	bool serial_given;
	GPtrArray *consoles;    /* of struct console_option */
	GPtrArray *devices;     /* of struct device_option, in the order of the command line */
	GPtrArray *secrets;     /* of struct secret; the monitor adds to them, and takes away */
	uint8_t generation[16]; /* VM generation ID, if there is one */
	bool has_generation;
	char *monitor;   /* path of the socket, or NULL */
	char *name;      /* or NULL */
	char *uuid;      /* as text in lower case, or NULL */
	char *pidfile;   /* or NULL */
	char *exit_file; /* or NULL */
	bool daemonize;
	bool paused;
	bool no_reboot;
	bool debug_exit;
	enum log_level log;
};

/**
 * options_parse() - read a command line and check all that can be checked without the host
 * @ret_options: on success options_release() is the caller's
 * @error:       one sentence that names cause and remedy
 */
bool options_parse(struct options *ret_options, int argc, char **argv, GError **error);
void options_release(struct options *options);

/* The text of --help; g_free() it. */
char *options_help(void);
/* The options in roff, for the man page; g_free() it. */
char *options_man(void);

/* Take a chardev's kind from a list: a word, or a key with a path. */
bool char_spec_take(struct char_spec *spec, struct keyvalue *list, GError **error);

/* The UUID's bytes as they are written; false: there is none. */
bool options_uuid(const struct options *options, uint8_t ret[16]);

/* "512M", "2G", "1073741824": bytes, with K, M, G, T for powers of 1024. */
bool options_parse_size(const char *text, uint64_t *ret_bytes, GError **error);

#endif
