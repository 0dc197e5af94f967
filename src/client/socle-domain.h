/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-domain.h - domains: to find them, to start and to end them, and what they are
 *
 * A handle is a name and a UUID; the server goes by the UUID. Any thread may use it at any time.
 */
#ifndef CLIENT_SOCLE_DOMAIN_H
#define CLIENT_SOCLE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/socle-conn.h"
#include "client/socle-error.h"

struct socle_domain;

enum {
	SOCLE_UUID_TEXT = 37 /* bytes of a UUID as text, with its NUL */
};

enum socle_domain_state {
	SOCLE_DOMAIN_NOSTATE = 0,
	SOCLE_DOMAIN_RUNNING = 1,
	SOCLE_DOMAIN_BLOCKED = 2,
	SOCLE_DOMAIN_PAUSED = 3,
	SOCLE_DOMAIN_SHUTDOWN = 4, /* it is being shut down */
	SOCLE_DOMAIN_SHUTOFF = 5,
	SOCLE_DOMAIN_CRASHED = 6,
	SOCLE_DOMAIN_PMSUSPENDED = 7, /* by power management of the guest */
};

/* Whom a change is for; these bits are the same in the flags of all calls that change something. */
enum socle_affect_flags {
	SOCLE_AFFECT_CURRENT = 0, /* live if it runs, else config */
	SOCLE_AFFECT_LIVE = 1 << 0,
	SOCLE_AFFECT_CONFIG = 1 << 1,
};

/* For socle_domain_list() and socle_domain_all_stats(). In each pair both is the same as none. */
enum socle_list_flags {
	SOCLE_LIST_ACTIVE = 1 << 0,
	SOCLE_LIST_INACTIVE = 1 << 1,
	SOCLE_LIST_PERSISTENT = 1 << 2,
	SOCLE_LIST_TRANSIENT = 1 << 3,
	SOCLE_LIST_RUNNING = 1 << 4,
	SOCLE_LIST_PAUSED = 1 << 5,
	SOCLE_LIST_SHUTOFF = 1 << 6,
	SOCLE_LIST_OTHER = 1 << 7,
	SOCLE_LIST_MANAGEDSAVE = 1 << 8,
	SOCLE_LIST_NO_MANAGEDSAVE = 1 << 9,
	SOCLE_LIST_AUTOSTART = 1 << 10,
	SOCLE_LIST_NO_AUTOSTART = 1 << 11,
	SOCLE_LIST_HAS_SNAPSHOT = 1 << 12,
	SOCLE_LIST_NO_SNAPSHOT = 1 << 13,
	SOCLE_LIST_HAS_CHECKPOINT = 1 << 14,
	SOCLE_LIST_NO_CHECKPOINT = 1 << 15,
};

enum socle_define_flags {
	SOCLE_DEFINE_VALIDATE = 1 << 0, /* refuse what the schema does not know */
};

enum socle_start_flags {
	SOCLE_START_PAUSED = 1 << 0,
	SOCLE_START_AUTODESTROY = 1 << 1, /* end it when the connection ends */
	SOCLE_START_BYPASS_CACHE = 1 << 2,
	SOCLE_START_FORCE_BOOT = 1 << 3, /* throw a managed save image away */
	SOCLE_START_VALIDATE = 1 << 4,
	SOCLE_START_RESET_NVRAM = 1 << 5,
};

/* For socle_domain_shutdown() and socle_domain_reboot(). */
enum socle_shutdown_flags {
	SOCLE_SHUTDOWN_DEFAULT = 0, /* whatever the server can */
	SOCLE_SHUTDOWN_ACPI = 1 << 0,
	SOCLE_SHUTDOWN_AGENT = 1 << 1,
	SOCLE_SHUTDOWN_INITCTL = 1 << 2,
	SOCLE_SHUTDOWN_SIGNAL = 1 << 3,
	SOCLE_SHUTDOWN_PARAVIRT = 1 << 4,
};

enum socle_destroy_flags {
	SOCLE_DESTROY_GRACEFUL = 1 << 0, /* SIGTERM only, no SIGKILL */
	SOCLE_DESTROY_REMOVE_LOGS = 1 << 1,
};

enum socle_undefine_flags {
	SOCLE_UNDEFINE_MANAGED_SAVE = 1 << 0,
	SOCLE_UNDEFINE_SNAPSHOTS_METADATA = 1 << 1,
	SOCLE_UNDEFINE_NVRAM = 1 << 2,
	SOCLE_UNDEFINE_KEEP_NVRAM = 1 << 3,
	SOCLE_UNDEFINE_CHECKPOINTS_METADATA = 1 << 4,
	SOCLE_UNDEFINE_TPM = 1 << 5,
	SOCLE_UNDEFINE_KEEP_TPM = 1 << 6,
};

enum socle_xml_flags {
	SOCLE_XML_SECURE = 1 << 0, /* with passwords; not for read-only connections */
	SOCLE_XML_INACTIVE = 1 << 1,
	SOCLE_XML_UPDATE_CPU = 1 << 2,
	SOCLE_XML_MIGRATABLE = 1 << 3,
};

enum socle_metadata_type {
	SOCLE_METADATA_DESCRIPTION = 0,
	SOCLE_METADATA_TITLE = 1,
	SOCLE_METADATA_ELEMENT = 2, /* of a namespace of somebody's */
};

/* == Handles == */

/**
 * socle_domain_ref() - one more owner
 * @dom: the domain
 *
 * Return: @dom
 */
SOCLE_API struct socle_domain *socle_domain_ref(struct socle_domain *dom);

/**
 * socle_domain_unref() - one owner less
 * @dom: may be NULL
 */
SOCLE_API void socle_domain_unref(struct socle_domain *dom);

/**
 * socle_domains_free() - give back a list of domains
 * @doms: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_domains_free(struct socle_domain **doms);

/**
 * socle_domain_conn() - its connection
 * @dom: the domain
 *
 * Return: it belongs to @dom
 */
SOCLE_API struct socle_conn *socle_domain_conn(const struct socle_domain *dom);

/**
 * socle_domain_name() - its name when the handle was made
 * @dom: the domain
 *
 * Return: it belongs to @dom
 */
SOCLE_API const char *socle_domain_name(const struct socle_domain *dom);

/**
 * socle_domain_uuid() - its UUID, 16 bytes
 * @dom: the domain
 *
 * Return: it belongs to @dom
 */
SOCLE_API const unsigned char *socle_domain_uuid(const struct socle_domain *dom);

/**
 * socle_domain_uuid_text() - its UUID in small letters
 * @dom: the domain
 *
 * Return: it belongs to @dom
 */
SOCLE_API const char *socle_domain_uuid_text(const struct socle_domain *dom);

/**
 * socle_domain_id() - its number when the handle was made; asks nobody
 * @dom: the domain
 *
 * Return: -1 if it did not run then
 */
SOCLE_API int socle_domain_id(const struct socle_domain *dom);

/**
 * socle_domain_get_id() - its number now
 * @dom:    the domain
 * @ret_id: -1 if it does not run
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_get_id(struct socle_domain *dom, int *ret_id,
				  struct socle_error **error);

/* == Finding == */

/**
 * socle_domain_list() - all domains, or those that the flags name
 * @conn:     the connection
 * @flags:    enum socle_list_flags; 0: all
 * @ret_doms: for socle_domains_free(); may be NULL if only the number matters
 * @error:    says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_list(struct socle_conn *conn, unsigned flags,
				struct socle_domain ***ret_doms, struct socle_error **error);

/**
 * socle_domain_by_name() - look a domain up
 * @conn:  the connection
 * @name:  whole
 * @error: SOCLE_ERR_NO_DOMAIN if there is none
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_by_name(struct socle_conn *conn, const char *name,
						    struct socle_error **error);

/**
 * socle_domain_by_uuid() - look a domain up
 * @conn:  the connection
 * @uuid:  16 bytes
 * @error: SOCLE_ERR_NO_DOMAIN if there is none
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_by_uuid(struct socle_conn *conn,
						    const unsigned char *uuid,
						    struct socle_error **error);

/**
 * socle_domain_by_uuid_text() - look a domain up
 * @conn:  the connection
 * @uuid:  32 hexadecimal digits, with hyphens or without
 * @error: SOCLE_ERR_NO_DOMAIN if there is none, SOCLE_ERR_INVALID_ARG for what is no UUID
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_by_uuid_text(struct socle_conn *conn, const char *uuid,
							 struct socle_error **error);

/**
 * socle_domain_by_id() - look a domain that runs up
 * @conn:  the connection
 * @id:    its number
 * @error: SOCLE_ERR_NO_DOMAIN if there is none
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_by_id(struct socle_conn *conn, int id,
						  struct socle_error **error);

/* == Life == */

/**
 * socle_domain_define() - make a domain that stays, or change it
 * @conn:  the connection
 * @xml:   what it is to be
 * @flags: enum socle_define_flags
 * @error: says why not
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_define(struct socle_conn *conn, const char *xml,
						   unsigned flags, struct socle_error **error);

/**
 * socle_domain_create_xml() - start a domain that is forgotten when it ends
 * @conn:  the connection
 * @xml:   what it is to be
 * @flags: enum socle_start_flags
 * @error: says why not
 *
 * Return: for socle_domain_unref(); NULL on failure
 */
SOCLE_API struct socle_domain *socle_domain_create_xml(struct socle_conn *conn, const char *xml,
						       unsigned flags, struct socle_error **error);

/**
 * socle_domain_create() - start a domain that is defined
 * @dom:   the domain
 * @flags: enum socle_start_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_create(struct socle_domain *dom, unsigned flags,
				  struct socle_error **error);

/**
 * socle_domain_undefine() - forget a domain; one that runs becomes transient
 * @dom:   the domain
 * @flags: enum socle_undefine_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_undefine(struct socle_domain *dom, unsigned flags,
				    struct socle_error **error);

/**
 * socle_domain_suspend() - stop its CPUs; memory stays
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_suspend(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_resume() - let its CPUs run again
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_resume(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_shutdown() - ask the guest to power off; does not wait until it has
 * @dom:   the domain
 * @flags: enum socle_shutdown_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_shutdown(struct socle_domain *dom, unsigned flags,
				    struct socle_error **error);

/**
 * socle_domain_reboot() - ask the guest to boot again; does not wait until it has
 * @dom:   the domain
 * @flags: enum socle_shutdown_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_reboot(struct socle_domain *dom, unsigned flags,
				  struct socle_error **error);

/**
 * socle_domain_reset() - push its reset button
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_reset(struct socle_domain *dom, unsigned flags,
				 struct socle_error **error);

/**
 * socle_domain_destroy() - pull its plug
 * @dom:   the domain
 * @flags: enum socle_destroy_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_destroy(struct socle_domain *dom, unsigned flags,
				   struct socle_error **error);

/**
 * socle_domain_rename() - give it another name; the handle keeps the old one
 * @dom:   the domain
 * @name:  the new one
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_rename(struct socle_domain *dom, const char *name, unsigned flags,
				  struct socle_error **error);

/* What the guest is to do. */
enum socle_pm_target {
	SOCLE_PM_SUSPEND_MEM = 0,
	SOCLE_PM_SUSPEND_DISK = 1,
	SOCLE_PM_SUSPEND_HYBRID = 2,
};

/**
 * socle_domain_pm_suspend() - let the guest's agent send it to sleep
 * @dom:        the domain
 * @target:     enum socle_pm_target
 * @duration_s: 0: until it is woken up
 * @flags:      0
 * @error:      says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_pm_suspend(struct socle_domain *dom, unsigned target,
				      uint64_t duration_s, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_pm_wakeup() - wake it up
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_pm_wakeup(struct socle_domain *dom, unsigned flags,
				     struct socle_error **error);

/* == What it is == */

/**
 * socle_domain_xml() - its definition
 * @dom:   the domain
 * @flags: enum socle_xml_flags
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_domain_xml(struct socle_domain *dom, unsigned flags,
				 struct socle_error **error);

/**
 * socle_domain_state() - its state, and why it is in it
 * @dom:        the domain
 * @flags:      0
 * @ret_state:  enum socle_domain_state
 * @ret_reason: a number whose meaning depends on the state; see socle_domain_reason_name(). May be NULL
 * @error:      says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_state(struct socle_domain *dom, unsigned flags, int *ret_state,
				 int *ret_reason, struct socle_error **error);

/**
 * socle_domain_state_name() - word for a state
 * @state: enum socle_domain_state
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_domain_state_name(int state);

/**
 * socle_domain_reason_name() - word for the reason of a state
 * @state:  enum socle_domain_state
 * @reason: as told by socle_domain_state()
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_domain_reason_name(int state, int reason);

/* For socle_domain_info(). */
struct socle_domain_info {
	enum socle_domain_state state;
	uint64_t max_memory_kib;
	uint64_t memory_kib;
	unsigned vcpus;
	uint64_t cpu_time_ns;
};

/**
 * socle_domain_info() - state, memory, CPUs
 * @dom:      the domain
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_info(struct socle_domain *dom, struct socle_domain_info *ret_info,
				struct socle_error **error);

/**
 * socle_domain_os_type() - such as "hvm"
 * @dom:   the domain
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_domain_os_type(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_is_active() - does it run?
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_domain_is_active(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_is_persistent() - is it defined, so that it stays when it ends?
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_domain_is_persistent(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_is_updated() - is its definition another than what runs?
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_domain_is_updated(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_get_autostart() - is it started with the host?
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_domain_get_autostart(struct socle_domain *dom, struct socle_error **error);

/**
 * socle_domain_set_autostart() - start it with the host, or not
 * @dom:       the domain
 * @autostart: what is wanted
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_autostart(struct socle_domain *dom, bool autostart,
					 struct socle_error **error);

/**
 * socle_domain_messages() - what the server has to say about it: sentences for people
 * @dom:          the domain
 * @flags:        0: all; 1: about what is deprecated; 2: about what taints it
 * @ret_messages: a NULL behind the last; for socle_strings_free()
 * @error:        says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_messages(struct socle_domain *dom, unsigned flags, char ***ret_messages,
				    struct socle_error **error);

/**
 * socle_domain_get_metadata() - title, description, or somebody's element
 * @dom:   the domain
 * @type:  enum socle_metadata_type
 * @uri:   namespace of an element, else NULL
 * @flags: enum socle_affect_flags
 * @error: SOCLE_ERR_NO_DOMAIN_METADATA if there is none
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_domain_get_metadata(struct socle_domain *dom, int type, const char *uri,
					  unsigned flags, struct socle_error **error);

/**
 * socle_domain_set_metadata() - set or remove it
 * @dom:   the domain
 * @type:  enum socle_metadata_type
 * @text:  text, or an element in XML; NULL removes it
 * @key:   prefix for the namespace of an element, else NULL
 * @uri:   namespace of an element, else NULL
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_metadata(struct socle_domain *dom, int type, const char *text,
					const char *key, const char *uri, unsigned flags,
					struct socle_error **error);

/**
 * socle_domain_security_label() - under which label it runs
 * @dom:           the domain
 * @ret_label:     for free(3); "" if there is none
 * @ret_enforcing: whether it is enforced; may be NULL
 * @error:         says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_security_label(struct socle_domain *dom, char **ret_label,
					  bool *ret_enforcing, struct socle_error **error);

#endif
