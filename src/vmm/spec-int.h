/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec-int.h - the readers of device-spec.h, one for each kind of device that has much to say
 */
#ifndef VMM_SPEC_INT_H
#define VMM_SPEC_INT_H

#include "vmm/device-spec.h"

bool disk_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error);
bool boot_index_take(struct device_spec *spec, struct keyvalue *list, GError **error);
bool cdrom_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error);
/* "addr" as "5", "0x5" or "5.0": the slot on the bus. */
bool slot_take(unsigned *slot, struct keyvalue *list, GError **error);
/* Does one number of a card's limit, of @way "rx" or "tx", go with the others? */
bool net_limit_check(const struct net_limit *limit, const char *way, GError **error);
bool nic_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error);

#endif
