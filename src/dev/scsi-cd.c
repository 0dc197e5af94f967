/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi-cd.c - what a CD drive answers to SCSI commands
 *
 * The commands are those that firmware and operating systems use to find a medium, to learn its size,
 * to read it, and to have it out. The medium has one session with one track of data.
 */
#include "dev/scsi-cd.h"

#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	TEST_UNIT_READY = 0x00,
	REQUEST_SENSE = 0x03,
	INQUIRY = 0x12,
	MODE_SENSE_6 = 0x1a,
	START_STOP = 0x1b,
	PREVENT_REMOVAL = 0x1e,
	READ_CAPACITY_10 = 0x25,
	READ_10 = 0x28,
	SEEK_10 = 0x2b,
	SYNCHRONIZE_CACHE = 0x35,
	READ_TOC = 0x43,
	GET_CONFIGURATION = 0x46,
	GET_EVENT_STATUS = 0x4a,
	READ_DISC_INFORMATION = 0x51,
	MODE_SENSE_10 = 0x5a,
	SERVICE_ACTION_IN = 0x9e,
	REPORT_LUNS = 0xa0,
	READ_12 = 0xa8,

	READ_CAPACITY_16 = 0x10, /* a service action */

	ILLEGAL_COMMAND = 0x052000,
	ILLEGAL_FIELD = 0x052400,
	ILLEGAL_UNIT = 0x052500,
	OUT_OF_RANGE = 0x052100,
	NO_MEDIUM = 0x023a01, /* the tray is closed */
	TRAY_OPEN = 0x023a02,
	TRAY_LOCKED = 0x055302,
	MEDIUM_CHANGED = 0x062800,

	TYPE_CD = 0x05,
	TYPE_NONE = 0x7f, /* no such unit */
	REMOVABLE = 0x80,
	LEAD_OUT = 0xaa,
	TRACK_DATA = 0x14, /* ADR and control of a track of data */
	MSF_OFFSET = 150,  /* frames in front of sector 0 */
	FRAMES = 75,       /* in a second */
	EVENT_MEDIA = 4,
	EVENT_NONE = 0x80,
	EVENT_TRAY_OPEN = 1,
	EVENT_MEDIUM = 2,
	START_LOAD = 3, /* bits of START_STOP: the tray is meant; let it in */
	START_EJECT = 2,
	PAGE_ERRORS = 0x01,
	PAGE_CAPABILITIES = 0x2a,
	PAGE_ALL = 0x3f,
	PROFILE_CD = 0x0008,
	PROFILE_DVD = 0x0010,
	FORMAT_MASK = 0x0f,
};

#define CD_MAX (737280000ull) /* bytes; a larger medium is a DVD */

void scsi_fail(struct scsi_answer *answer, uint32_t sense)
{
	*answer = (struct scsi_answer){ .status = SCSI_CHECK_CONDITION };
	answer->sense[0] = 0x70; /* current, fixed format */
	answer->sense[2] = (uint8_t)(sense >> 16);
	answer->sense[7] = SCSI_SENSE_LEN - 8;
	answer->sense[12] = (uint8_t)(sense >> 8);
	answer->sense[13] = (uint8_t)sense;
}

/* As much of data as was asked for. */
static void deliver(struct scsi_answer *answer, uint32_t len, uint32_t asked)
{
	answer->len = len < asked ? len : asked;
}

static void put_text(uint8_t *to, const char *text)
{
	memcpy(to, text, strlen(text));
}

static uint32_t sectors(uint64_t size)
{
	uint64_t count = size / SCSI_CD_SECTOR;

	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

/* ---- what it is ---- */

static void inquiry_page(uint8_t page, uint32_t asked, struct scsi_answer *ret)
{
	static const uint8_t pages[] = { 0x00, 0x83 };
	static const char name[] = "SOCLE   CD-ROM";
	uint8_t *p = ret->data;

	p[0] = TYPE_CD;
	p[1] = page;
	switch (page) {
	case 0x00:
		p[3] = sizeof(pages);
		memcpy(p + 4, pages, sizeof(pages));
		break;
	case 0x83:
		p[3] = 4 + sizeof(name) - 1;
		p[4] = 2; /* ASCII */
		p[5] = 1; /* vendor's identification, of this unit */
		p[7] = sizeof(name) - 1;
		put_text(p + 8, name);
		break;
	default:
		scsi_fail(ret, ILLEGAL_FIELD);
		return;
	}
	deliver(ret, 4u + p[3], asked);
}

static void inquiry(const uint8_t *cdb, uint32_t lun, struct scsi_answer *ret)
{
	const uint32_t asked = get_be16(cdb + 3), len = 36;
	uint8_t *p = ret->data;

	if (cdb[1] & 1) {
		if (lun)
			scsi_fail(ret, ILLEGAL_UNIT);
		else
			inquiry_page(cdb[2], asked, ret);
		return;
	}
	if (cdb[2]) {
		scsi_fail(ret, ILLEGAL_FIELD);
		return;
	}
	p[0] = lun ? TYPE_NONE : TYPE_CD;
	p[1] = REMOVABLE;
	p[2] = 5; /* SPC-3 */
	p[3] = 2;
	p[4] = (uint8_t)(len - 5);
	put_text(p + 8, "SOCLE   ");
	put_text(p + 16, "CD-ROM          ");
	put_text(p + 32, "1.0 ");
	deliver(ret, len, asked);
}

/* Pages of modes from @p on; their length, 0: no such page. */
static uint32_t mode_pages(const struct scsi_cd *cd, uint8_t page, uint8_t *p)
{
	uint32_t len = 0;

	if (page == PAGE_ERRORS || page == PAGE_ALL) {
		p[len] = PAGE_ERRORS;
		p[len + 1] = 6;
		len += 8;
	}
	if (page == PAGE_CAPABILITIES || page == PAGE_ALL) {
		uint8_t *c = p + len;

		c[0] = PAGE_CAPABILITIES;
		c[1] = 18;
		c[2] = 0x3b; /* reads CD-R, CD-RW, DVD */
		/* A tray that can be locked, and opens. */
		c[6] = cd->locked ? 0x2b : 0x29;
		put_be16(c + 8, 706 * 16); /* speed in kB/s, and so now */
		put_be16(c + 10, 2);
		put_be16(c + 12, 512); /* buffer in KiB */
		put_be16(c + 14, 706 * 16);
		len += 20;
	}
	return len;
}

static void mode_sense(const struct scsi_cd *cd, const uint8_t *cdb, struct scsi_answer *ret)
{
	const bool is_long = cdb[0] == MODE_SENSE_10;
	const uint32_t header = is_long ? 8 : 4;
	uint32_t len = mode_pages(cd, cdb[2] & 0x3f, ret->data + header);

	if (!len || cdb[2] >> 6 == 3) { /* nothing is saved */
		scsi_fail(ret, ILLEGAL_FIELD);
		return;
	}
	len += header;
	if (is_long)
		put_be16(ret->data, (uint16_t)(len - 2));
	else
		ret->data[0] = (uint8_t)(len - 1);
	deliver(ret, len, is_long ? get_be16(cdb + 7) : cdb[4]);
}

/* There is a medium that can be read. */
static bool is_ready(const struct scsi_cd *cd)
{
	return cd->medium && !cd->open;
}

static void get_configuration(const struct scsi_cd *cd, const uint8_t *cdb, struct scsi_answer *ret)
{
	static const uint16_t profiles[] = { PROFILE_DVD, PROFILE_CD };
	const uint16_t current = !is_ready(cd) ? 0 : cd->size > CD_MAX ? PROFILE_DVD : PROFILE_CD;
	uint32_t len = 8;
	uint8_t *p = ret->data;

	put_be16(p + 6, current);
	/* Feature 0, the list of profiles, is all there is. */
	if (!get_be16(cdb + 2)) {
		p[10] = 3; /* persistent, current */
		p[11] = 4 * ARRAY_SIZE(profiles);
		for (unsigned i = 0; i < ARRAY_SIZE(profiles); i++) {
			put_be16(p + 12 + 4 * (size_t)i, profiles[i]);
			p[14 + 4 * i] = profiles[i] == current;
		}
		len += 4u + p[11];
	}
	put_be32(p, len - 4);
	deliver(ret, len, get_be16(cdb + 7));
}

static void get_event_status(struct scsi_cd *cd, const uint8_t *cdb, struct scsi_answer *ret)
{
	uint8_t *p = ret->data;
	uint32_t len = 4;

	if (!(cdb[1] & 1)) { /* only polling */
		scsi_fail(ret, ILLEGAL_FIELD);
		return;
	}
	p[2] = EVENT_NONE;
	p[3] = 1 << EVENT_MEDIA;
	if (cdb[4] & 1 << EVENT_MEDIA) {
		p[2] = EVENT_MEDIA;
		p[4] = (uint8_t)cd->event;
		p[5] = (cd->open ? EVENT_TRAY_OPEN : 0) | (is_ready(cd) ? EVENT_MEDIUM : 0);
		cd->event = SCSI_CD_NOTHING;
		len += 4;
	}
	put_be16(p, (uint16_t)(len - 2));
	deliver(ret, len, get_be16(cdb + 7));
}

static void report_luns(const uint8_t *cdb, struct scsi_answer *ret)
{
	put_be32(ret->data, 8);
	deliver(ret, 16, get_be32(cdb + 6));
}

/* ---- the medium ---- */

static void read_capacity(uint64_t size, const uint8_t *cdb, struct scsi_answer *ret)
{
	const uint32_t count = sectors(size), last = count ? count - 1 : 0;

	if (cdb[0] == READ_CAPACITY_10) {
		put_be32(ret->data, last);
		put_be32(ret->data + 4, SCSI_CD_SECTOR);
		ret->len = 8;
	} else if ((cdb[1] & 0x1f) == READ_CAPACITY_16) {
		put_be64(ret->data, last);
		put_be32(ret->data + 8, SCSI_CD_SECTOR);
		deliver(ret, 32, get_be32(cdb + 10));
	} else {
		scsi_fail(ret, ILLEGAL_FIELD);
	}
}

static void read_sectors(uint64_t size, const uint8_t *cdb, struct scsi_answer *ret)
{
	uint64_t first = get_be32(cdb + 2);
	uint64_t count = cdb[0] == READ_10 ? get_be16(cdb + 7) : get_be32(cdb + 6);

	if (first > sectors(size) || count > sectors(size) - first) {
		scsi_fail(ret, OUT_OF_RANGE);
		return;
	}
	ret->read_off = first * SCSI_CD_SECTOR;
	ret->read_len = count * SCSI_CD_SECTOR;
}

/* A sector's address, or minute, second and frame. */
static void put_address(uint8_t *p, uint32_t sector, bool msf)
{
	if (!msf) {
		put_be32(p, sector);
		return;
	}
	sector += MSF_OFFSET;
	p[0] = 0;
	p[1] = (uint8_t)(sector / FRAMES / 60);
	p[2] = (uint8_t)(sector / FRAMES % 60);
	p[3] = (uint8_t)(sector % FRAMES);
}

static void put_track(uint8_t *p, uint8_t track, uint32_t sector, bool msf)
{
	p[1] = TRACK_DATA;
	p[2] = track;
	put_address(p + 4, sector, msf);
}

static void read_toc(uint64_t size, const uint8_t *cdb, struct scsi_answer *ret)
{
	const uint8_t format = cdb[2] & FORMAT_MASK ? cdb[2] & FORMAT_MASK : cdb[9] >> 6;
	const bool msf = cdb[1] & 2;
	uint8_t *p = ret->data;
	uint32_t len = 4;

	if (format > 1 || (format == 0 && cdb[6] > 1 && cdb[6] != LEAD_OUT)) {
		scsi_fail(ret, ILLEGAL_FIELD);
		return;
	}
	p[2] = p[3] = 1; /* first and last track, or session */
	if (format == 1 || cdb[6] <= 1) {
		put_track(p + len, 1, 0, msf);
		len += 8;
	}
	if (format == 0) {
		put_track(p + len, LEAD_OUT, sectors(size), msf);
		len += 8;
	}
	put_be16(p, (uint16_t)(len - 2));
	deliver(ret, len, get_be16(cdb + 7));
}

static void read_disc_information(const uint8_t *cdb, struct scsi_answer *ret)
{
	const uint32_t len = 34;
	uint8_t *p = ret->data;

	put_be16(p, (uint16_t)(len - 2));
	p[2] = 0x0e; /* complete, and so is its session */
	p[3] = p[4] = p[5] = p[6] = 1;
	memset(p + 16, 0xff, 8); /* no lead-in or lead-out to write */
	deliver(ret, len, get_be16(cdb + 7));
}

/* ---- */

/* ---- the tray ---- */

void scsi_cd_open(struct scsi_cd *cd)
{
	if (!cd->open && cd->medium)
		cd->event = SCSI_CD_REMOVED;
	cd->open = true;
	cd->locked = cd->changed = false;
}

void scsi_cd_close(struct scsi_cd *cd)
{
	if (cd->open && cd->medium) {
		cd->changed = true;
		cd->event = SCSI_CD_NEW_MEDIUM;
	}
	cd->open = false;
}

static void start_stop(struct scsi_cd *cd, const uint8_t *cdb, struct scsi_answer *ret)
{
	const uint8_t bits = cdb[4];

	if (bits == START_LOAD)
		scsi_cd_close(cd);
	if (bits != START_EJECT)
		return;
	if (cd->locked)
		scsi_fail(ret, TRAY_LOCKED);
	else
		scsi_cd_open(cd);
}

/* ---- */

static void request_sense(struct scsi_cd *cd, const uint8_t *cdb, struct scsi_answer *ret)
{
	const uint8_t asked = cdb[4];

	/* Whatever else went wrong was told at once. */
	scsi_fail(ret, cd->changed ? MEDIUM_CHANGED : 0);
	cd->changed = false;
	memcpy(ret->data, ret->sense, SCSI_SENSE_LEN);
	ret->status = SCSI_GOOD;
	deliver(ret, SCSI_SENSE_LEN, asked);
}

/* Commands that are answered whatever has happened to the medium. */
static bool is_about_drive(uint8_t opcode)
{
	return opcode == INQUIRY || opcode == REPORT_LUNS || opcode == REQUEST_SENSE;
}

static bool wants_medium(uint8_t opcode)
{
	switch (opcode) {
	case TEST_UNIT_READY:
	case SEEK_10:
	case SYNCHRONIZE_CACHE:
	case READ_CAPACITY_10:
	case SERVICE_ACTION_IN:
	case READ_10:
	case READ_12:
	case READ_TOC:
	case READ_DISC_INFORMATION:
		return true;
	default:
		return false;
	}
}

/* 0, or why the command cannot be executed now. */
static uint32_t obstacle(struct scsi_cd *cd, uint32_t lun, uint8_t opcode)
{
	if (is_about_drive(opcode))
		return 0;
	if (lun)
		return ILLEGAL_UNIT;
	if (cd->changed && opcode != GET_EVENT_STATUS) {
		cd->changed = false;
		return MEDIUM_CHANGED;
	}
	if (!is_ready(cd) && wants_medium(opcode))
		return cd->open ? TRAY_OPEN : NO_MEDIUM;
	return 0;
}

void scsi_cd_execute(struct scsi_cd *cd, uint32_t lun, const uint8_t cdb[SCSI_CDB_LEN],
		     struct scsi_answer *ret)
{
	const uint32_t sense = obstacle(cd, lun, cdb[0]);

	*ret = (struct scsi_answer){ .status = SCSI_GOOD };
	if (sense) {
		scsi_fail(ret, sense);
		return;
	}
	switch (cdb[0]) {
	case TEST_UNIT_READY:
	case SEEK_10:
	case SYNCHRONIZE_CACHE:
		break;
	case START_STOP:
		start_stop(cd, cdb, ret);
		break;
	case PREVENT_REMOVAL:
		cd->locked = cdb[4] & 1 && !cd->open;
		break;
	case REQUEST_SENSE:
		request_sense(cd, cdb, ret);
		break;
	case INQUIRY:
		inquiry(cdb, lun, ret);
		break;
	case MODE_SENSE_6:
	case MODE_SENSE_10:
		mode_sense(cd, cdb, ret);
		break;
	case READ_CAPACITY_10:
	case SERVICE_ACTION_IN:
		read_capacity(cd->size, cdb, ret);
		break;
	case READ_10:
	case READ_12:
		read_sectors(cd->size, cdb, ret);
		break;
	case READ_TOC:
		read_toc(cd->size, cdb, ret);
		break;
	case GET_CONFIGURATION:
		get_configuration(cd, cdb, ret);
		break;
	case GET_EVENT_STATUS:
		get_event_status(cd, cdb, ret);
		break;
	case READ_DISC_INFORMATION:
		read_disc_information(cdb, ret);
		break;
	case REPORT_LUNS:
		report_luns(cdb, ret);
		break;
	default:
		scsi_fail(ret, ILLEGAL_COMMAND);
		break;
	}
}
