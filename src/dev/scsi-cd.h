/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi-cd.h - what a CD drive answers to SCSI commands (SPC-4, MMC-6)
 *
 * A drive with a tray. Its owner guards struct scsi_cd, puts media in and takes them out; bytes of the
 * medium are fetched by the one who asks.
 *
 * Threads: any, the owner's lock held.
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

/* What the driver is told, once, when it asks for events of the medium (MMC-6, 6.6). */
enum scsi_cd_event {
	SCSI_CD_NOTHING = 0,
	SCSI_CD_EJECT_REQUEST = 1,
	SCSI_CD_NEW_MEDIUM = 2,
	SCSI_CD_REMOVED = 3,
};

struct scsi_cd {
	bool medium;   /* there is one */
	uint64_t size; /* of it, in bytes */
	bool open;     /* the tray */
	bool locked;   /* the driver does not want it to be opened */
	bool changed;  /* the next command is told that there is another medium */
	enum scsi_cd_event event;
};

/* The button of the drive, which does not ask whether it is locked. */
void scsi_cd_open(struct scsi_cd *cd);
void scsi_cd_close(struct scsi_cd *cd);

struct scsi_answer {
	uint8_t status;
	uint8_t sense[SCSI_SENSE_LEN]; /* with SCSI_CHECK_CONDITION */
	uint8_t data[SCSI_ANSWER_MAX];
	uint32_t len;      /* of data */
	uint64_t read_off; /* bytes of the medium that are to be delivered, instead of data */
	uint64_t read_len;
};

/* @lun: which unit of the drive is asked; there is 0 only. */
void scsi_cd_execute(struct scsi_cd *cd, uint32_t lun, const uint8_t cdb[SCSI_CDB_LEN],
		     struct scsi_answer *ret);
/* Check condition; @sense as SCSI_READ_ERROR. */
void scsi_fail(struct scsi_answer *answer, uint32_t sense);

#endif
