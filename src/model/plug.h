/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plug.h - devices of a domain come and go, and are found by what clients know of them
 */
#ifndef MODEL_PLUG_H
#define MODEL_PLUG_H

#include <glib.h>
#include <stdbool.h>

#include "model/domain.h"

/* Names for those devices that have none, as libvirt has them: virtio-disk0, net0, serial0. */
void domain_name_devices(struct domain *domain);
/* The same for one that is to be plugged into @domain. */
void domain_name_device(struct domain *device, const struct domain *domain);

/* What domain_parse_device() has made: the one device of it. @ret_kind: its element's name; may be NULL. */
struct device_info *domain_one_device(struct domain *device, const char **ret_kind);

/**
 * domain_find_device() - which device of @domain does a client mean by @device?
 *
 * Disks are known by their target, interfaces by their MAC address, or else by their place; all by their
 * alias; and all others by looking the same.
 *
 * Return: NULL if there is none, or more than one that it could be
 */
struct device_info *domain_find_device(struct domain *domain, const struct domain *device,
				       GError **error);
struct device_info *domain_find_alias(struct domain *domain, const char *alias);

/* A copy of one device of @domain, as domain_parse_device() would have made it. */
struct domain *domain_extract_device(const struct domain *domain, const struct device_info *info);
/* A copy of @device at the end of its list. */
void domain_add_device(struct domain *domain, const struct domain *device);
void domain_remove_device(struct domain *domain, struct device_info *info);
/* A copy of @device in the place of @info; alias and address stay what they are. */
void domain_replace_device(struct domain *domain, struct device_info *info,
			   const struct domain *device);

#endif
