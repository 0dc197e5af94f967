/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tune.c - limits of domains, in groups
 *
 * A server is asked twice: how many values there are, and for them. The calls of the groups look alike,
 * but each has types of its own.
 */
#include "client/tune-int.h"

#include "client/error-int.h"
#include "client/object-int.h"
#include "client/params-int.h"
#include "client/socle-resource.h"

static rpc_domain_get_scheduler_type_ret no_type(void)
{
	return (rpc_domain_get_scheduler_type_ret){ .type = NULL };
}

char *socle_domain_scheduler_type(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_get_scheduler_type_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_scheduler_type_ret ret = no_type();

	if (!CALL(dom->conn, DOMAIN_GET_SCHEDULER_TYPE, domain_get_scheduler_type, &args, &ret,
		  error))
		return NULL;
	return ret.type;
}

/* The older call, which servers have that know no flags here. */
static struct socle_params *get_scheduler_now(struct socle_domain *dom, int nparams,
					      struct socle_error **error)
{
	rpc_domain_get_scheduler_parameters_args args = {
		.dom = domain_wire(dom),
		.nparams = nparams,
	};
	rpc_domain_get_scheduler_parameters_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_SCHEDULER_PARAMETERS, domain_get_scheduler_parameters,
		  &args, &ret, error))
		return NULL;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

static struct socle_params *get_scheduler(struct socle_domain *dom, unsigned flags,
					  struct socle_error **error)
{
	rpc_domain_get_scheduler_type_args first = { .dom = domain_wire(dom) };
	rpc_domain_get_scheduler_type_ret type = no_type();
	rpc_domain_get_scheduler_parameters_flags_args args = {
		.dom = domain_wire(dom),
		.flags = flags | TUNE_STRINGS,
	};
	rpc_domain_get_scheduler_parameters_flags_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_SCHEDULER_TYPE, domain_get_scheduler_type, &first, &type,
		  error))
		return NULL;
	args.nparams = type.nparams;
	rpc_body_release(rpc_domain_get_scheduler_type_ret, &type);
	if (flags == 0)
		return get_scheduler_now(dom, args.nparams, error);
	if (!CALL(dom->conn, DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
		  domain_get_scheduler_parameters_flags, &args, &ret, error))
		return NULL;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

/* Ask for the number, then for the values: @args has a member nparams. An expression, NULL on failure. */
#define GET_TWICE(NAME, name, args, error)                                             \
	({                                                                             \
		rpc_##name##_ret got_;                                                 \
		struct socle_params *params_ = NULL;                                   \
		if (CALL(dom->conn, NAME, name, args, &got_, error)) {                 \
			(args)->nparams = got_.nparams;                                \
			rpc_body_release(rpc_##name##_ret, &got_);                     \
			if (CALL(dom->conn, NAME, name, args, &got_, error))           \
				params_ = client_params_take(&got_.params.params_val,  \
							     &got_.params.params_len); \
		}                                                                      \
		params_;                                                               \
	})

static struct socle_params *get_memory(struct socle_domain *dom, unsigned flags,
				       struct socle_error **error)
{
	rpc_domain_get_memory_parameters_args args = { .dom = domain_wire(dom), .flags = flags };

	return GET_TWICE(DOMAIN_GET_MEMORY_PARAMETERS, domain_get_memory_parameters, &args, error);
}

static struct socle_params *get_blkio(struct socle_domain *dom, unsigned flags,
				      struct socle_error **error)
{
	rpc_domain_get_blkio_parameters_args args = { .dom = domain_wire(dom), .flags = flags };

	return GET_TWICE(DOMAIN_GET_BLKIO_PARAMETERS, domain_get_blkio_parameters, &args, error);
}

static struct socle_params *get_numa(struct socle_domain *dom, unsigned flags,
				     struct socle_error **error)
{
	rpc_domain_get_numa_parameters_args args = { .dom = domain_wire(dom), .flags = flags };

	return GET_TWICE(DOMAIN_GET_NUMA_PARAMETERS, domain_get_numa_parameters, &args, error);
}

static struct socle_params *get_interface(struct socle_domain *dom, const char *device,
					  unsigned flags, struct socle_error **error)
{
	rpc_domain_get_interface_parameters_args args = {
		.dom = domain_wire(dom),
		.device = TEXT(device),
		.flags = flags,
	};

	return GET_TWICE(DOMAIN_GET_INTERFACE_PARAMETERS, domain_get_interface_parameters, &args,
			 error);
}

static struct socle_params *get_block_io(struct socle_domain *dom, const char *device,
					 unsigned flags, struct socle_error **error)
{
	rpc_domain_get_block_io_tune_args args = {
		.dom = domain_wire(dom),
		.disk = OPTIONAL(device),
		.flags = flags,
	};

	return GET_TWICE(DOMAIN_GET_BLOCK_IO_TUNE, domain_get_block_io_tune, &args, error);
}

static bool has_device(enum socle_tune tune, const char *device, struct socle_error **error)
{
	if ((unsigned)tune >= SOCLE_TUNE_COUNT)
		return client_error(error, SOCLE_ERR_INVALID_ARG, "there is no group %d of limits",
				    (int)tune);
	if (tune != SOCLE_TUNE_INTERFACE && tune != SOCLE_TUNE_BLOCK_IO)
		return true;
	return client_has(device, "device", error);
}

struct socle_params *socle_domain_get_tune(struct socle_domain *dom, enum socle_tune tune,
					   const char *device, unsigned flags,
					   struct socle_error **error)
{
	if (!has_device(tune, device, error))
		return NULL;
	switch (tune) {
	case SOCLE_TUNE_SCHEDULER:
		return get_scheduler(dom, flags, error);
	case SOCLE_TUNE_MEMORY:
		return get_memory(dom, flags | TUNE_STRINGS, error);
	case SOCLE_TUNE_BLKIO:
		return get_blkio(dom, flags | TUNE_STRINGS, error);
	case SOCLE_TUNE_NUMA:
		return get_numa(dom, flags | TUNE_STRINGS, error);
	case SOCLE_TUNE_INTERFACE:
		return get_interface(dom, device, flags | TUNE_STRINGS, error);
	case SOCLE_TUNE_BLOCK_IO:
	case SOCLE_TUNE_COUNT:
	default:
		return get_block_io(dom, device, flags | TUNE_STRINGS, error);
	}
}

/* The calls that set them: types differ, members do not. An expression: 0, or -1. */
#define SET(NAME, name, ...)                                                   \
	({                                                                     \
		rpc_##name##_args args_ = { .dom = domain_wire(dom),           \
					    .params = { .params_len = count,   \
							.params_val = items }, \
					    .flags = flags,                    \
					    __VA_ARGS__ };                     \
		CALL_ARGS(dom->conn, NAME, name, &args_, error);               \
	})

int socle_domain_set_tune(struct socle_domain *dom, enum socle_tune tune, const char *device,
			  const struct socle_params *params, unsigned flags,
			  struct socle_error **error)
{
	unsigned count;
	rpc_param *items = client_params_wire(params, &count);

	if (!has_device(tune, device, error))
		return -1;
	switch (tune) {
	case SOCLE_TUNE_SCHEDULER:
		return SET(DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
			   domain_set_scheduler_parameters_flags);
	case SOCLE_TUNE_MEMORY:
		return SET(DOMAIN_SET_MEMORY_PARAMETERS, domain_set_memory_parameters);
	case SOCLE_TUNE_BLKIO:
		return SET(DOMAIN_SET_BLKIO_PARAMETERS, domain_set_blkio_parameters);
	case SOCLE_TUNE_NUMA:
		return SET(DOMAIN_SET_NUMA_PARAMETERS, domain_set_numa_parameters);
	case SOCLE_TUNE_INTERFACE:
		return SET(DOMAIN_SET_INTERFACE_PARAMETERS, domain_set_interface_parameters,
			   .device = TEXT(device));
	case SOCLE_TUNE_BLOCK_IO:
	case SOCLE_TUNE_COUNT:
	default:
		return SET(DOMAIN_SET_BLOCK_IO_TUNE, domain_set_block_io_tune,
			   .disk = TEXT(device));
	}
}
