/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi-cd.h - what a CD drive answers to SCSI commands (SPC-4, MMC-6)
 *
 * A drive with a medium in it that stays. Commands have no state, so nothing is to be guarded; bytes
 * of the medium are fetched by the one who asks.
 *
 * Threads: any.
 */
#ifndef DEV_SCSI_CD_H
#define DEV_SCSI_CD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SCSI_CDB_LEN = 16, /* of the longest command that is known */
	SCSI_SENSE_LEN = 18,
	SCSI_CD_SECTOR = 2048,
	SCSI_GOOD = 0,
	SCSI_CHECK_CONDITION = 2,
	SCSI_ANSWER_MAX = 96,

	SCSI_READ_ERROR = 0x031100, /* key, code and qualifier: medium error, unrecovered */
};

struct scsi_answer {
	uint8_t status;
	uint8_t sense[SCSI_SENSE_LEN]; /* with SCSI_CHECK_CONDITION */
	uint8_t data[SCSI_ANSWER_MAX];
	uint32_t len;      /* of data */
	uint64_t read_off; /* bytes of the medium that are to be delivered, instead of data */
	uint64_t read_len;
};

/* @size: of the medium in bytes. @lun: which unit of the drive is asked; there is 0 only. */
void scsi_cd_execute(uint64_t size, uint32_t lun, const uint8_t cdb[SCSI_CDB_LEN],
		     struct scsi_answer *ret);
/* Check condition; @sense as SCSI_READ_ERROR. */
void scsi_fail(struct scsi_answer *answer, uint32_t sense);

#endif
