/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-int.h - the tables of this room's documents and devices
 */
#ifndef MODEL_FIELDS_INT_H
#define MODEL_FIELDS_INT_H

#include "model/field-int.h"

extern const struct record domain_record, devices_record;
extern const struct record cpu_record, os_boot_record;
extern const struct record disk_record, controller_record, interface_record, char_record;
extern const struct record graphics_listen_record;
extern const struct record graphics_record, video_record, input_record, sound_record, audio_record;
extern const struct record memballoon_record, rng_record, watchdog_record, vsock_record;
extern const struct record panic_record, tpm_record;
extern const struct record address_record, alias_record, boot_record;
extern const struct record disk_source_record, auth_record;
extern const struct record snapshot_record, snapshot_disk_record;
extern const struct record mtu_record, bandwidth_record, isolated_port_record;
extern const struct record network_record, network_ip_record, dhcp_host_record, dhcp_range_record;
extern const struct record dns_host_record, dns_text_record, dns_service_record, portgroup_record;
extern const struct record forward_interface_record;
extern const struct record capabilities_record, domain_caps_record;
extern const struct record caps_text_record, caps_machine_record, caps_domain_record;
extern const struct record caps_guest_record, caps_enum_record, caps_cpu_mode_record;
extern const struct record caps_model_record;
extern const struct record storage_pool_record, storage_source_record, storage_vol_record;
extern const struct record secret_def_record;
extern const struct record storage_device_record, storage_sources_record;

struct storage_sources {
	struct storage_pool_source *list;
	unsigned count;
};

/* Of every device; T is its struct. */
#define F_INFO                                       \
	F_STRUCT("alias", info.alias, alias_record), \
		F_STRUCT("address", info.address, address_record)

extern const char *const disk_type_names[];
extern const char *const disk_device_names[];
extern const char *const disk_bus_names[];
extern const char *const controller_type_names[];
extern const char *const interface_type_names[];
extern const char *const char_type_names[];
extern const char *const graphics_type_names[];
extern const char *const domain_type_names[];

#endif
