/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.h - the commands, one struct each, and rows that many of their tables have
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

#define CLI_ROW_LIVE                                                             \
	{                                                                        \
		"live", 0, NULL, CLI_NOTHING, "for the machine as it runs, only" \
	}
#define CLI_ROW_CONFIG                                                               \
	{                                                                            \
		"config", 0, NULL, CLI_NOTHING, "for its definition: the next start" \
	}
#define POOL_ROWS_BUILD                                                                    \
	{ "build", 0, NULL, CLI_NOTHING, "make what it is on, if it is not there" },       \
		{ "overwrite", 0, NULL, CLI_NOTHING, "the same, whatever is there" },      \
	{                                                                                  \
		"no-overwrite", 0, NULL, CLI_NOTHING, "the same, only if nothing is there" \
	}
#define VOL_ROW_POOL                                                  \
	{                                                             \
		"pool", 'p', "POOL", CLI_POOL, "of this storage pool" \
	}
#define VOL_ROW_NO_SYNC                                                                          \
	{                                                                                        \
		"no-sync", 0, NULL, CLI_NOTHING, "do not wait until the disk has it, as cp does" \
	}
#define CLI_ROW_END          \
	{                    \
		.name = NULL \
	}

/* vm-list.c */
extern const struct cli_command cli_vm_list, cli_vm_show, cli_vm_state, cli_vm_id, cli_vm_uuid;
extern const struct cli_command cli_vm_name, cli_vm_messages;
/* vm-life.c */
extern const struct cli_command cli_vm_start, cli_vm_stop, cli_vm_destroy, cli_vm_suspend;
extern const struct cli_command cli_vm_resume, cli_vm_reboot, cli_vm_reset, cli_vm_save;
extern const struct cli_command cli_vm_save_remove, cli_vm_nmi;
/* vm-define.c */
extern const struct cli_command cli_vm_create, cli_vm_xml, cli_vm_undefine, cli_vm_rename;
extern const struct cli_command cli_vm_autostart, cli_vm_edit, cli_vm_title;
/* clone.c */
extern const struct cli_command cli_vm_clone;
/* vm-bandwidth.c */
extern const struct cli_command cli_vm_bandwidth;
/* vm-tune.c */
extern const struct cli_command cli_vm_set_memory, cli_vm_set_vcpus, cli_vm_stats;
/* vm-device.c */
extern const struct cli_command cli_vm_attach, cli_vm_detach, cli_vm_update, cli_vm_disks;
extern const struct cli_command cli_vm_nics, cli_vm_addresses;
/* vm-block.c */
extern const struct cli_command cli_vm_block_info, cli_vm_block_resize, cli_vm_block_commit;
extern const struct cli_command cli_vm_block_pull, cli_vm_block_job;
/* vm-screen.c */
extern const struct cli_command cli_vm_send_key, cli_vm_screenshot;
extern const struct cli_command cli_vm_display, cli_vm_view;
/* net.c */
extern const struct cli_command cli_net_list, cli_net_show, cli_net_start, cli_net_stop;
extern const struct cli_command cli_net_define, cli_net_create, cli_net_xml, cli_net_undefine;
extern const struct cli_command cli_net_autostart, cli_net_uuid, cli_net_name, cli_net_leases;
extern const struct cli_command cli_net_update, cli_net_forward, cli_net_edit, cli_pool_edit;
/* pool.c, pool-define.c, pool-disk.c */
extern const struct cli_command cli_pool_list, cli_pool_show, cli_pool_start, cli_pool_stop;
extern const struct cli_command cli_pool_define_as, cli_pool_define, cli_pool_create_as;
extern const struct cli_command cli_pool_create, cli_pool_xml, cli_pool_build, cli_pool_refresh;
extern const struct cli_command cli_pool_undefine, cli_pool_delete, cli_pool_autostart;
extern const struct cli_command cli_pool_uuid, cli_pool_name, cli_pool_sources;
extern const struct cli_command cli_pool_capabilities, cli_pool_add_disk, cli_pool_remove_disk;
/* vol.c, vol-create.c, vol-snapshot.c, vol-transfer.c */
extern const struct cli_command cli_vol_list, cli_vol_show, cli_vol_create_as, cli_vol_create;
extern const struct cli_command cli_vol_create_from, cli_vol_clone, cli_vol_upload;
extern const struct cli_command cli_vol_download, cli_vol_resize, cli_vol_wipe, cli_vol_delete;
extern const struct cli_command cli_vol_xml, cli_vol_path, cli_vol_key, cli_vol_name;
extern const struct cli_command cli_vol_pool, cli_vol_snapshot, cli_vol_restore, cli_vol_import;
/* secret.c, secret-value.c */
extern const struct cli_command cli_secret_list, cli_secret_show, cli_secret_create;
extern const struct cli_command cli_secret_define, cli_secret_xml, cli_secret_uuid;
extern const struct cli_command cli_secret_delete, cli_secret_set, cli_secret_get;
/* install.c, template.c */
extern const struct cli_command cli_install, cli_template_create, cli_template_list;
extern const struct cli_command cli_template_show, cli_template_release, cli_template_delete;
/* console.c, event.c, snapshot.c, host.c, top.c, run.c, create.c, doctor.c, complete.c */
extern const struct cli_command cli_vm_console, cli_vm_events, cli_net_events, cli_pool_events;
extern const struct cli_command cli_secret_events;
extern const struct cli_command cli_snapshot_create, cli_snapshot_list, cli_snapshot_show;
extern const struct cli_command cli_snapshot_xml, cli_snapshot_delete, cli_snapshot_revert;
extern const struct cli_command cli_snapshot_current;
extern const struct cli_command cli_host_info, cli_host_capabilities, cli_host_stats;
extern const struct cli_command cli_host_domain_capabilities, cli_host_doctor, cli_host_uri;
extern const struct cli_command cli_top, cli_run, cli_create, cli_completion, cli_complete;

#endif
