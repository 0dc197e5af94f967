/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.c - what guests say about themselves, and what they are told
 */
#include "client/error-int.h"
#include "client/list-int.h"
#include "client/object-int.h"
#include "client/params-int.h"
#include "client/socle-device.h"
#include "client/socle-guest.h"

char *socle_domain_hostname(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_get_hostname_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_hostname_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_HOSTNAME, domain_get_hostname, &args, &ret, error))
		return NULL;
	return ret.hostname;
}

struct socle_params *socle_domain_guest_info(struct socle_domain *dom, unsigned kinds,
					     unsigned flags, struct socle_error **error)
{
	rpc_domain_get_guest_info_args args = {
		.dom = domain_wire(dom),
		.types = kinds,
		.flags = flags,
	};
	rpc_domain_get_guest_info_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_GUEST_INFO, domain_get_guest_info, &args, &ret, error))
		return NULL;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

int socle_domain_fsinfo(struct socle_domain *dom, unsigned flags, struct socle_fsinfo **ret_info,
			struct socle_error **error)
{
	rpc_domain_get_fsinfo_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_fsinfo_ret ret;
	unsigned count;

	if (!CALL(dom->conn, DOMAIN_GET_FSINFO, domain_get_fsinfo, &args, &ret, error))
		return -1;
	count = ret.info.info_len;
	*ret_info = g_new0(struct socle_fsinfo, (size_t)count + 1);
	for (unsigned i = 0; i < count; i++) {
		rpc_domain_fsinfo *wire = &ret.info.info_val[i];
		struct socle_fsinfo *info = &(*ret_info)[i];

		info->mountpoint = g_strdup(wire->mountpoint);
		info->name = g_strdup(wire->name);
		info->fstype = g_strdup(wire->fstype);
		client_take_texts(&wire->dev_aliases.dev_aliases_val,
				  &wire->dev_aliases.dev_aliases_len, &info->disks);
	}
	rpc_body_release(rpc_domain_get_fsinfo_ret, &ret);
	return (int)count;
}

void socle_fsinfo_free(struct socle_fsinfo *info)
{
	for (size_t i = 0; info && info[i].mountpoint; i++) {
		g_free(info[i].mountpoint);
		g_free(info[i].name);
		g_free(info[i].fstype);
		g_strfreev(info[i].disks);
	}
	g_free(info);
}

int socle_domain_fstrim(struct socle_domain *dom, const char *mountpoint, uint64_t minimum,
			unsigned flags, struct socle_error **error)
{
	rpc_domain_fstrim_args args = {
		.dom = domain_wire(dom),
		.mountPoint = OPTIONAL(mountpoint),
		.minimum = minimum,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_FSTRIM, domain_fstrim, &args, error);
}

static unsigned count_of(const char *const *texts)
{
	return texts ? g_strv_length((char **)(uintptr_t)texts) : 0;
}

int socle_domain_fsfreeze(struct socle_domain *dom, const char *const *mountpoints, unsigned flags,
			  struct socle_error **error)
{
	rpc_domain_fsfreeze_args args = {
		.dom = domain_wire(dom),
		.mountpoints = { .mountpoints_len = count_of(mountpoints),
				 .mountpoints_val = (rpc_text *)(uintptr_t)mountpoints },
		.flags = flags,
	};
	rpc_domain_fsfreeze_ret ret;

	if (!CALL(dom->conn, DOMAIN_FSFREEZE, domain_fsfreeze, &args, &ret, error))
		return -1;
	return client_count(ret.filesystems, error);
}

int socle_domain_fsthaw(struct socle_domain *dom, const char *const *mountpoints, unsigned flags,
			struct socle_error **error)
{
	rpc_domain_fsthaw_args args = {
		.dom = domain_wire(dom),
		.mountpoints = { .mountpoints_len = count_of(mountpoints),
				 .mountpoints_val = (rpc_text *)(uintptr_t)mountpoints },
		.flags = flags,
	};
	rpc_domain_fsthaw_ret ret;

	if (!CALL(dom->conn, DOMAIN_FSTHAW, domain_fsthaw, &args, &ret, error))
		return -1;
	return client_count(ret.filesystems, error);
}

int socle_domain_get_time(struct socle_domain *dom, unsigned flags, int64_t *ret_seconds,
			  unsigned *ret_nanoseconds, struct socle_error **error)
{
	rpc_domain_get_time_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_time_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_TIME, domain_get_time, &args, &ret, error))
		return -1;
	*ret_seconds = ret.seconds;
	if (ret_nanoseconds)
		*ret_nanoseconds = ret.nseconds;
	return 0;
}

int socle_domain_set_time(struct socle_domain *dom, int64_t seconds, unsigned nanoseconds,
			  unsigned flags, struct socle_error **error)
{
	rpc_domain_set_time_args args = {
		.dom = domain_wire(dom),
		.seconds = seconds,
		.nseconds = nanoseconds,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_SET_TIME, domain_set_time, &args, error);
}

int socle_domain_set_user_password(struct socle_domain *dom, const char *user, const char *password,
				   unsigned flags, struct socle_error **error)
{
	rpc_domain_set_user_password_args args = {
		.dom = domain_wire(dom),
		.user = OPTIONAL(user),
		.password = OPTIONAL(password),
		.flags = flags,
	};

	if (!client_has(user, "user", error) || !client_has(password, "password", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_SET_USER_PASSWORD, domain_set_user_password, &args,
			 error);
}
