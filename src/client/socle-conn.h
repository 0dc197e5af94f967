/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-conn.h - a connection to a daemon, and what it says about its host
 *
 * A connection may be used by any number of threads at once: their calls are in flight together, and
 * each is woken by its own answer. Texts that are returned belong to the caller, for free(3). There
 * is no global state, and nothing to initialise.
 */
#ifndef CLIENT_SOCLE_CONN_H
#define CLIENT_SOCLE_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-error.h"
#include "client/socle-params.h"

struct socle_conn;

/* For socle_conn_open(). */
enum socle_open_flags {
	SOCLE_OPEN_READONLY = 1 << 0, /* the server refuses what changes anything */
	/* When the connection breaks, open it again and register its events again. */
	SOCLE_OPEN_RECONNECT = 1 << 16,
	SOCLE_OPEN_NO_AUTOSTART = 1 << 17, /* do not start the daemon of the session */
	SOCLE_OPEN_NO_QUESTIONS = 1 << 18, /* ssh asks nobody for a password */
	/*
	 * For a program that makes a few calls and ends: who waits for an answer reads by himself, which saves a
	 * thread until events, streams or a second caller need one. While none is there and nobody waits,
	 * nothing is read: a server that pings hangs up after half a minute.
	 */
	SOCLE_OPEN_BRIEF = 1 << 19,
};

/**
 * socle_conn_open() - connect to a daemon
 * @uri:   NULL or "": $SOCLE_DEFAULT_URI, $LIBVIRT_DEFAULT_URI, or the daemon of the session; for root
 *         that of the system, if it runs; else scheme[+transport]://[user@]host[:port]/path?parameters,
 *         as libvirt has them. Transports: unix, tcp, tls, ssh, ext. Parameters: socket, mode,
 *         no_verify, pkipath, command, keyfile, netcat, proxy, no_tty, known_hosts_verify; others
 *         are passed on
 * @flags: enum socle_open_flags
 * @error: says why not
 *
 * The daemon of a session is started if there is none, unless a flag or SOCLE_AUTOSTART=0 in the
 * environment says not to. A server that does not answer is given up after a minute; one behind ssh or
 * a command is not, since a person may be asked for a password.
 *
 * Return: for socle_conn_unref(); NULL on failure
 */
SOCLE_API struct socle_conn *socle_conn_open(const char *uri, unsigned flags,
					     struct socle_error **error);

/**
 * socle_conn_open_timeout() - the same, with another patience
 * @uri:        as for socle_conn_open()
 * @flags:      enum socle_open_flags
 * @timeout_ms: how long opening may take, also when it is opened again; 0: as socle_conn_open()
 * @error:      says why not
 *
 * The name of a host is looked up as long as the host's resolver takes. Calls have a time of their own,
 * see socle_conn_set_timeout().
 *
 * Return: for socle_conn_unref(); NULL on failure
 */
SOCLE_API struct socle_conn *socle_conn_open_timeout(const char *uri, unsigned flags,
						     unsigned timeout_ms,
						     struct socle_error **error);

/**
 * socle_conn_ref() - one more owner
 * @conn: the connection
 *
 * Return: @conn
 */
SOCLE_API struct socle_conn *socle_conn_ref(struct socle_conn *conn);

/**
 * socle_conn_unref() - one owner less; with the last one the connection is closed
 * @conn: may be NULL
 *
 * Domains, snapshots and streams own their connection, too. Not from a callback of the connection.
 */
SOCLE_API void socle_conn_unref(struct socle_conn *conn);

/**
 * socle_conn_close() - say good-bye and hang up, whoever still owns the connection
 * @conn: the connection; calls in flight fail, and so does each later one
 */
SOCLE_API void socle_conn_close(struct socle_conn *conn);

/**
 * socle_conn_set_timeout() - how long a call may take from now on
 * @conn:       the connection
 * @timeout_ms: 0: for ever, as it is at first
 *
 * A call that is late fails with SOCLE_ERR_OPERATION_TIMEOUT; whether it is done is not known. The
 * connection stays usable.
 */
SOCLE_API void socle_conn_set_timeout(struct socle_conn *conn, unsigned timeout_ms);

/**
 * socle_conn_set_keepalive() - find out that the other side has gone silent
 * @conn:        the connection
 * @interval_ms: ask after so long without a byte from the server; 0: never
 * @count:       give up after so many questions without an answer
 *
 * At first it is 5000 and 5, if the server knows keepalive.
 */
SOCLE_API void socle_conn_set_keepalive(struct socle_conn *conn, unsigned interval_ms,
					unsigned count);

/**
 * socle_conn_is_alive() - is the connection there, as far as is known?
 * @conn: the connection
 */
SOCLE_API bool socle_conn_is_alive(struct socle_conn *conn);

/**
 * socle_conn_is_encrypted() - does it go through a Unix socket, TLS or ssh? Asks nobody
 * @conn: the connection
 */
SOCLE_API bool socle_conn_is_encrypted(struct socle_conn *conn);

/**
 * socle_conn_socket() - the Unix socket of this host that it goes to. Asks nobody
 * @conn: the connection
 *
 * Return: for free(3); NULL: it goes another way, or is lost
 */
SOCLE_API char *socle_conn_socket(struct socle_conn *conn);

/**
 * socle_conn_uri() - the URI as the server names it
 * @conn:  the connection
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_uri(struct socle_conn *conn, struct socle_error **error);

/**
 * socle_conn_type() - kind of hypervisor, such as "QEMU"
 * @conn:  the connection
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_type(struct socle_conn *conn, struct socle_error **error);

/**
 * socle_conn_hostname() - name of the host that the daemon runs on
 * @conn:  the connection
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_hostname(struct socle_conn *conn, struct socle_error **error);

/**
 * socle_conn_version() - version of the hypervisor: 1,000,000 * major + 1,000 * minor + release
 * @conn:        the connection
 * @ret_version: set on success
 * @error:       says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_conn_version(struct socle_conn *conn, uint64_t *ret_version,
				 struct socle_error **error);

/**
 * socle_conn_lib_version() - level of libvirt that the server has, in the same form
 * @conn:        the connection
 * @ret_version: set on success
 * @error:       says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_conn_lib_version(struct socle_conn *conn, uint64_t *ret_version,
				     struct socle_error **error);

/**
 * socle_conn_is_secure() - does the server call the connection secure?
 * @conn:  the connection
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_conn_is_secure(struct socle_conn *conn, struct socle_error **error);

/**
 * socle_conn_capabilities() - what host and hypervisor can do, in XML
 * @conn:  the connection
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_capabilities(struct socle_conn *conn, struct socle_error **error);

/**
 * socle_conn_domain_capabilities() - what a domain can have, in XML
 * @conn:     the connection
 * @emulator: path of the program, or NULL
 * @arch:     such as "x86_64", or NULL
 * @machine:  such as "q35", or NULL
 * @virttype: "kvm" or "qemu", or NULL
 * @flags:    0
 * @error:    says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_domain_capabilities(struct socle_conn *conn, const char *emulator,
					       const char *arch, const char *machine,
					       const char *virttype, unsigned flags,
					       struct socle_error **error);

/**
 * socle_conn_max_vcpus() - most virtual CPUs that a domain may have
 * @conn:     the connection
 * @virttype: "kvm" or "qemu", or NULL
 * @error:    says why not
 *
 * Return: the number, or -1
 */
SOCLE_API int socle_conn_max_vcpus(struct socle_conn *conn, const char *virttype,
				   struct socle_error **error);

/**
 * socle_conn_sysinfo() - SMBIOS data of the host, in XML
 * @conn:  the connection
 * @flags: 0
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_conn_sysinfo(struct socle_conn *conn, unsigned flags,
				   struct socle_error **error);

/**
 * socle_conn_cpu_models() - names of CPU models
 * @conn:       the connection
 * @arch:       such as "x86_64"
 * @flags:      0
 * @ret_models: names, a NULL behind the last; for socle_strings_free()
 * @error:      says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_conn_cpu_models(struct socle_conn *conn, const char *arch, unsigned flags,
				    char ***ret_models, struct socle_error **error);

/**
 * socle_strings_free() - give back a list of texts and the texts
 * @strings: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_strings_free(char **strings);

/* == The host == */

/* For socle_node_info(). */
struct socle_node_info {
	char model[32]; /* of the CPUs */
	uint64_t memory_kib;
	unsigned cpus; /* that are online */
	unsigned mhz;  /* 0: not known */
	unsigned nodes;
	unsigned sockets; /* of each node */
	unsigned cores;   /* of each socket */
	unsigned threads; /* of each core */
};

/**
 * socle_node_info() - CPUs and memory of the host
 * @conn:     the connection
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_node_info(struct socle_conn *conn, struct socle_node_info *ret_info,
			      struct socle_error **error);

enum {
	SOCLE_ALL_CELLS = -1, /* of NUMA */
	SOCLE_ALL_CPUS = -1,
};

/**
 * socle_node_memory_stats() - memory of the host: "total", "free", "buffers", "cached" in KiB
 * @conn:  the connection
 * @cell:  of NUMA, or SOCLE_ALL_CELLS
 * @flags: 0
 * @error: says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_node_memory_stats(struct socle_conn *conn, int cell,
						       unsigned flags, struct socle_error **error);

/**
 * socle_node_cpu_stats() - time of the host's CPUs: "kernel", "user", "idle", "iowait" in ns
 * @conn:  the connection
 * @cpu:   number, or SOCLE_ALL_CPUS
 * @flags: 0
 * @error: says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_node_cpu_stats(struct socle_conn *conn, int cpu,
						    unsigned flags, struct socle_error **error);

/* CPUs as bits: CPU n is bit n % 8 of byte n / 8. */
struct socle_cpumap {
	unsigned char *map;
	unsigned cpus;  /* how many the map is for; it has (cpus + 7) / 8 bytes */
	unsigned count; /* bits that are set */
};

/**
 * socle_cpumap_release() - give back what a map has
 * @map: cleared; may be NULL
 */
SOCLE_API void socle_cpumap_release(struct socle_cpumap *map);

/**
 * socle_node_cpu_map() - which CPUs of the host are there, and online
 * @conn:    the connection
 * @flags:   0
 * @ret_map: set on success, for socle_cpumap_release(); its bits are the CPUs that are online
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_node_cpu_map(struct socle_conn *conn, unsigned flags,
				 struct socle_cpumap *ret_map, struct socle_error **error);

/**
 * socle_node_free_memory() - free memory of the host in bytes
 * @conn:      the connection
 * @ret_bytes: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_node_free_memory(struct socle_conn *conn, uint64_t *ret_bytes,
				     struct socle_error **error);

/**
 * socle_node_cells_free_memory() - the same by cells of NUMA
 * @conn:      the connection
 * @start:     first cell
 * @max:       most cells that there is room for
 * @ret_bytes: for each cell; @max of them
 * @error:     says why not
 *
 * Return: how many cells are set, or -1
 */
SOCLE_API int socle_node_cells_free_memory(struct socle_conn *conn, int start, unsigned max,
					   uint64_t *ret_bytes, struct socle_error **error);

/**
 * socle_node_security_model() - how the host keeps domains apart, such as "apparmor"
 * @conn:      the connection
 * @ret_model: for free(3); "" if there is none
 * @ret_doi:   domain of interpretation, for free(3); may be NULL
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_node_security_model(struct socle_conn *conn, char **ret_model, char **ret_doi,
					struct socle_error **error);

#endif
