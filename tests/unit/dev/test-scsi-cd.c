/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-scsi-cd.c - what a CD drive answers to SCSI commands
 */
#include "dev/scsi-cd.h"

#include <glib.h>
#include <string.h>

#include "base/bytes.h"

enum {
	SECTORS = 1000
};

static struct scsi_answer answer;
static struct scsi_cd drive = { .medium = true, .size = SECTORS * SCSI_CD_SECTOR };

#define ASK(...)                                                   \
	do {                                                       \
		const uint8_t cdb[SCSI_CDB_LEN] = { __VA_ARGS__ }; \
		scsi_cd_execute(&drive, 0, cdb, &answer);          \
	} while (0)

static void refused(uint32_t sense)
{
	g_assert_cmpuint(answer.status, ==, SCSI_CHECK_CONDITION);
	g_assert_cmphex(answer.sense[0], ==, 0x70);
	g_assert_cmphex(answer.sense[2], ==, sense >> 16);
	g_assert_cmphex(answer.sense[12], ==, sense >> 8 & 0xff);
	g_assert_cmphex(answer.sense[13], ==, sense & 0xff);
	g_assert_cmpuint(answer.len, ==, 0);
	g_assert_cmpuint(answer.read_len, ==, 0);
}

static void good(uint32_t len)
{
	g_assert_cmpuint(answer.status, ==, SCSI_GOOD);
	g_assert_cmpuint(answer.len, ==, len);
}

static void test_identity(void)
{
	ASK(0x12, 0, 0, 0, 36);
	good(36);
	g_assert_cmphex(answer.data[0], ==, 5);
	g_assert_cmphex(answer.data[1], ==, 0x80);
	g_assert_cmpmem(answer.data + 8, 8, "SOCLE   ", 8);
	ASK(0x12, 0, 0, 0, 5); /* as much as was asked for */
	good(5);
	ASK(0x12, 1, 0, 0, 255);
	good(6);
	g_assert_cmpmem(answer.data, 6, "\5\0\0\2\0\x83", 6);
	ASK(0x12, 1, 0x83, 0, 255);
	good(22);
	ASK(0x12, 1, 0xb0, 0, 255);
	refused(0x052400);
	ASK(0x12, 0, 1, 0, 255);
	refused(0x052400);
	ASK(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64);
	good(16);
	g_assert_cmpuint(get_be32(answer.data), ==, 8);
	ASK(0x03, 0, 0, 0, 18);
	good(18);
}

static void test_other_unit(void)
{
	const uint8_t inquiry[SCSI_CDB_LEN] = { 0x12, 0, 0, 0, 36 },
		      page[SCSI_CDB_LEN] = { 0x12, 1 }, ready[SCSI_CDB_LEN] = { 0 };

	scsi_cd_execute(&drive, 1, inquiry, &answer);
	good(36);
	g_assert_cmphex(answer.data[0], ==, 0x7f);
	scsi_cd_execute(&drive, 1, page, &answer);
	refused(0x052500);
	scsi_cd_execute(&drive, 0x3fff, ready, &answer);
	refused(0x052500);
}

static void test_medium(void)
{
	static const uint8_t nothing_to_do[] = { 0x00, 0x1b, 0x1e, 0x2b, 0x35 };

	for (unsigned i = 0; i < G_N_ELEMENTS(nothing_to_do); i++) {
		ASK(nothing_to_do[i]);
		good(0);
	}
	ASK(0x25);
	good(8);
	g_assert_cmpuint(get_be32(answer.data), ==, SECTORS - 1);
	g_assert_cmpuint(get_be32(answer.data + 4), ==, 2048);
	ASK(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	good(32);
	g_assert_cmpuint(get_be64(answer.data), ==, SECTORS - 1);
	ASK(0x9e, 0x12);
	refused(0x052400);
	ASK(0x46, 2, 0, 0, 0, 0, 0, 0, 64);
	good(20);
	g_assert_cmpuint(get_be16(answer.data + 6), ==, 8); /* a CD */
	ASK(0x46, 0, 0, 1, 0, 0, 0, 0, 64);
	good(8);
	ASK(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
	good(8);
	g_assert_cmpmem(answer.data, 6, "\0\6\4\x10\0\2", 6);
	ASK(0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8);
	good(4);
	ASK(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8);
	refused(0x052400);
	ASK(0x51, 0, 0, 0, 0, 0, 0, 0, 64);
	good(34);
}

static void test_modes(void)
{
	ASK(0x1a, 0, 0x2a, 0, 255);
	good(24);
	g_assert_cmpuint(answer.data[0], ==, 23);
	g_assert_cmphex(answer.data[4], ==, 0x2a);
	ASK(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255);
	good(36);
	g_assert_cmpuint(get_be16(answer.data), ==, 34);
	ASK(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 8);
	good(8);
	ASK(0x1a, 0, 0x0e, 0, 255);
	refused(0x052400);
	ASK(0x1a, 0, 0xc1, 0, 255); /* saved ones */
	refused(0x052400);
}

static void test_contents(void)
{
	ASK(0x43, 0, 0, 0, 0, 0, 0, 0, 255);
	good(20);
	g_assert_cmpmem(answer.data, 4, "\0\x12\1\1", 4);
	g_assert_cmphex(answer.data[6], ==, 1);
	g_assert_cmphex(answer.data[14], ==, 0xaa);
	g_assert_cmpuint(get_be32(answer.data + 16), ==, SECTORS);
	ASK(0x43, 2, 0, 0, 0, 0, 0xaa, 0, 255); /* in minutes, seconds, frames */
	good(12);
	g_assert_cmpmem(answer.data + 8, 4, "\0\0\x0f\x19", 4); /* 1150 / 75 = 15, 25 */
	ASK(0x43, 0, 1, 0, 0, 0, 0, 0, 255);
	good(12);
	ASK(0x43, 0, 2, 0, 0, 0, 0, 0, 255);
	refused(0x052400);
	ASK(0x43, 0, 0, 0, 0, 0, 2, 0, 255);
	refused(0x052400);
}

static void test_read(void)
{
	ASK(0x28, 0, 0, 0, 0, 10, 0, 0, 4);
	good(0);
	g_assert_cmpuint(answer.read_off, ==, 10 * 2048);
	g_assert_cmpuint(answer.read_len, ==, 4 * 2048);
	ASK(0xa8, 0, 0, 0, 3, 0xe7, 0, 0, 0, 1);
	good(0);
	g_assert_cmpuint(answer.read_off, ==, 999 * 2048);
	ASK(0x28, 0, 0, 0, 3, 0xe8, 0, 0, 0); /* nothing, at the end */
	good(0);
	g_assert_cmpuint(answer.read_len, ==, 0);
	ASK(0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2);
	refused(0x052100);
	ASK(0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	refused(0x052100);
	ASK(0x2a, 0, 0, 0, 0, 0, 0, 0, 1); /* a write */
	refused(0x052000);
	ASK(0xff);
	refused(0x052000);
}

/* Media of any size: nothing, a DVD, more than sectors can be counted. */
static void test_sizes(void)
{
	const uint8_t capacity[SCSI_CDB_LEN] = { 0x25 };
	const uint8_t configuration[SCSI_CDB_LEN] = { 0x46, 0, 0, 0, 0, 0, 0, 0, 64 };
	const uint8_t toc[SCSI_CDB_LEN] = { 0x43, 2, 0, 0, 0, 0, 0, 0, 255 };

	struct scsi_cd cd = { .medium = true };

	scsi_cd_execute(&cd, 0, capacity, &answer);
	g_assert_cmpuint(get_be32(answer.data), ==, 0);
	cd.size = UINT64_C(4) << 30;
	scsi_cd_execute(&cd, 0, configuration, &answer);
	g_assert_cmpuint(get_be16(answer.data + 6), ==, 0x10);
	cd.size = UINT64_MAX;
	scsi_cd_execute(&cd, 0, capacity, &answer);
	g_assert_cmphex(get_be32(answer.data), ==, UINT32_MAX - 1);
	scsi_cd_execute(&cd, 0, toc, &answer);
	good(20);
}

/* Without a medium the drive answers for itself, and has nothing to read. */
static void test_empty(void)
{
	static const uint8_t of_medium[] = { 0x00, 0x25, 0x28, 0x2b, 0x43, 0x51, 0x9e, 0xa8 };

	drive.medium = false;
	for (unsigned i = 0; i < G_N_ELEMENTS(of_medium); i++) {
		ASK(of_medium[i]);
		refused(0x023a01);
	}
	ASK(0x12, 0, 0, 0, 36);
	good(36);
	ASK(0x46, 0, 0, 0, 0, 0, 0, 0, 64);
	good(20);
	g_assert_cmpuint(get_be16(answer.data + 6), ==, 0); /* no profile is current */
	ASK(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
	g_assert_cmphex(answer.data[5], ==, 0);
	drive.medium = true;
}

static unsigned media_event(void)
{
	ASK(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
	good(8);
	return answer.data[4] << 4 | answer.data[5];
}

/* The driver moves the tray, unless it has locked it itself. */
static void test_tray(void)
{
	ASK(0x1e, 0, 0, 0, 1);
	good(0);
	g_assert_true(drive.locked);
	ASK(0x1a, 0, 0x2a, 0, 255);
	g_assert_cmphex(answer.data[4 + 6], ==, 0x2b);
	ASK(0x1b, 0, 0, 0, 2);
	refused(0x055302);
	g_assert_false(drive.open);
	ASK(0x1b, 0, 0, 0, 0); /* it stops turning, that is all */
	good(0);
	ASK(0x1e, 0, 0, 0, 0);
	ASK(0x1b, 0, 0, 0, 2);
	good(0);
	g_assert_true(drive.open);
	g_assert_cmphex(media_event(), ==, 0x31);
	g_assert_cmphex(media_event(), ==, 0x01); /* told once */
	ASK(0x00);
	refused(0x023a02);
	ASK(0x28, 0, 0, 0, 0, 0, 0, 0, 1);
	refused(0x023a02);
	ASK(0x1e, 0, 0, 0, 1); /* there is nothing to be locked */
	g_assert_false(drive.locked);
	ASK(0x1b, 0, 0, 0, 3);
	good(0);
	g_assert_cmphex(media_event(), ==, 0x22);
	ASK(0x00);
	refused(0x062800);
	ASK(0x00);
	good(0);
}

/* By the user's hand, and told in the sense that was asked for. */
static void test_changed(void)
{
	drive.locked = true;
	scsi_cd_open(&drive);
	g_assert_false(drive.locked);
	scsi_cd_close(&drive);
	ASK(0x12, 0, 0, 0, 36); /* this is not what it is told to */
	good(36);
	ASK(0x03, 0, 0, 0, 18);
	good(18);
	g_assert_cmphex(answer.data[2], ==, 6);
	g_assert_cmphex(answer.data[12], ==, 0x28);
	ASK(0x03, 0, 0, 0, 18);
	g_assert_cmphex(answer.data[2], ==, 0);
	ASK(0x25);
	good(8);
	drive.event = SCSI_CD_EJECT_REQUEST;
	g_assert_cmphex(media_event(), ==, 0x12);
	g_assert_cmphex(media_event(), ==, 0x02);
	/* Closed without a medium there is nothing new. */
	scsi_cd_open(&drive);
	drive.medium = false;
	scsi_cd_close(&drive);
	ASK(0x00);
	refused(0x023a01);
	drive.medium = true;
	drive.event = SCSI_CD_NOTHING;
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/scsi-cd/identity", test_identity);
	g_test_add_func("/dev/scsi-cd/other-unit", test_other_unit);
	g_test_add_func("/dev/scsi-cd/medium", test_medium);
	g_test_add_func("/dev/scsi-cd/modes", test_modes);
	g_test_add_func("/dev/scsi-cd/contents", test_contents);
	g_test_add_func("/dev/scsi-cd/read", test_read);
	g_test_add_func("/dev/scsi-cd/sizes", test_sizes);
	g_test_add_func("/dev/scsi-cd/empty", test_empty);
	g_test_add_func("/dev/scsi-cd/tray", test_tray);
	g_test_add_func("/dev/scsi-cd/changed", test_changed);
	return g_test_run();
}
