/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-int.h - QMP commands of the monitor by what they are about; commands.c has the table
 *
 * Names and documents are those of QEMU's qapi/ (block-core.json, net.json, qdev.json, pci.json,
 * balloon.json).
 */
#ifndef VMM_COMMANDS_INT_H
#define VMM_COMMANDS_INT_H

#include <glib.h>
#include <jansson.h>

#include "monitor/qmp.h"

#define QMP_RUN(name) json_t *run_##name(void *opaque, const json_t *args, GError **error)

/* What is answered when it is done. */
#define QMP_START(name) \
	void start_##name(void *opaque, const json_t *args, struct qmp_request *request)

/* commands-block.c */
QMP_RUN(query_block);
QMP_RUN(query_blockstats);
QMP_RUN(query_named_block_nodes);
QMP_RUN(blockdev_add);
QMP_RUN(blockdev_del);
QMP_START(block_resize);
QMP_RUN(block_set_io_throttle);
QMP_RUN(block_set_write_threshold);

/* commands-medium.c */
QMP_RUN(blockdev_open_tray);
QMP_RUN(blockdev_close_tray);
QMP_START(blockdev_remove_medium);
QMP_START(blockdev_insert_medium);
QMP_START(blockdev_change_medium);
QMP_START(eject);

/* commands-peek.c */
QMP_RUN(memory_read);
QMP_RUN(memsave);
QMP_RUN(pmemsave);
QMP_RUN(block_read);

/* commands-dump.c */
QMP_START(dump_guest_memory);
QMP_RUN(query_dump);
QMP_RUN(query_dump_guest_memory_capability);
QMP_RUN(dump_cancel);

/* secrets.c */
QMP_RUN(object_add);
QMP_RUN(object_del);

/* commands-job.c */
QMP_START(block_commit);
QMP_START(block_stream);
QMP_START(blockdev_mirror);
QMP_START(drive_mirror);
QMP_RUN(job_cancel);
QMP_RUN(job_complete);
QMP_RUN(job_pause);
QMP_RUN(job_resume);
QMP_RUN(job_finalize);
QMP_RUN(job_dismiss);
QMP_RUN(block_job_set_speed);
QMP_RUN(query_block_jobs);
QMP_RUN(query_jobs);

/* commands-snapshot.c */
QMP_START(blockdev_snapshot);
QMP_START(blockdev_snapshot_sync);
QMP_RUN(blockdev_snapshot_internal_sync);
QMP_RUN(blockdev_snapshot_delete_internal_sync);

/* transaction.c */
QMP_START(transaction);

/* commands.c: are these the arguments of a command? */
bool command_check(const char *name, const json_t *args, GError **error);

/* commands-net.c */
QMP_RUN(netdev_del);
QMP_RUN(set_link);
QMP_RUN(query_rx_filter);
QMP_RUN(announce_self);
QMP_RUN(query_cards);
QMP_RUN(set_card_limits);
QMP_RUN(hostfwd_add);
QMP_RUN(hostfwd_remove);

/* commands-netdev.c */
QMP_START(netdev_add);

/* commands-device.c */
QMP_RUN(device_add);
QMP_RUN(device_del);
QMP_RUN(query_pci);
QMP_RUN(query_balloon);
QMP_RUN(balloon);
QMP_RUN(qom_get);
QMP_RUN(qom_set);
QMP_RUN(watchdog_set_action);
QMP_RUN(query_chardev);
QMP_RUN(inject_nmi);

/* input.c */
QMP_RUN(send_key);
QMP_RUN(input_send_event);

/* screendump.c */
QMP_START(screendump);

/* screen.c */
QMP_RUN(query_vnc);
QMP_RUN(set_password);
QMP_RUN(expire_password);
QMP_RUN(add_client);

/* fds.c */
QMP_RUN(getfd);
QMP_RUN(closefd);

/* Text that a query shows may come from a file name: what is no UTF-8 is replaced. */
json_t *json_text(const char *text);

#endif
