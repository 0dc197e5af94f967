/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-fw-cfg.c - firmware configuration: keys, files, both ways to read, transfers that cannot be
 */
#include "dev/fw-cfg.h"

#include <string.h>

#include "base/bytes.h"
#include "bus/io.h"
#include "mem/mem.h"

#define RAM UINT64_C(0x100000)

enum {
	DESCRIPTOR = 0x1000,
	BUFFER = 0x2000,
	ERROR = 1,
	READ = 2,
	SKIP = 4,
	SELECT = 8,
	WRITE = 16,
};

struct fixture {
	struct io_space *pio;
	struct mem *mem;
	struct fw_cfg *cfg;
};

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->pio = io_space_new("ports", 0x10000);
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, RAM, &error));
	g_assert_true(mem_add_ram(f->mem, UINT64_C(1) << 32, RAM, &error));
	f->cfg = fw_cfg_new(f->pio, f->mem, &error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	fw_cfg_free(f->cfg);
	mem_free(f->mem);
	io_space_free(f->pio);
}

static void read_ports(struct fixture *f, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)io_read(f->pio, 0x511, 1);
}

static void select_key(struct fixture *f, uint16_t key)
{
	io_write(f->pio, 0x510, 2, key);
}

/* What firmware writes is big endian. */
static void start(struct fixture *f, uint64_t gpa)
{
	uint8_t bytes[8];

	put_be64(bytes, gpa);
	io_write(f->pio, 0x514, 4, get_le32(bytes));
	io_write(f->pio, 0x518, 4, get_le32(bytes + 4));
}

/* A transfer; its control word afterwards. */
static uint32_t transfer_at(struct fixture *f, uint64_t where, uint32_t control, uint32_t len,
			    uint64_t gpa)
{
	uint8_t descriptor[16];

	put_be32(descriptor, control);
	put_be32(descriptor + 4, len);
	put_be64(descriptor + 8, gpa);
	g_assert_cmpint(mem_write(f->mem, where, descriptor, sizeof(descriptor)), ==, 0);
	start(f, where);
	g_assert_cmpint(mem_read(f->mem, where, descriptor, 4), ==, 0);
	return get_be32(descriptor);
}

static uint32_t transfer(struct fixture *f, uint32_t control, uint32_t len, uint64_t gpa)
{
	return transfer_at(f, DESCRIPTOR, control, len, gpa);
}

static void expect(struct fixture *f, uint64_t gpa, const char *text, size_t len)
{
	char buf[64];

	g_assert_cmpint(mem_read(f->mem, gpa, buf, len), ==, 0);
	g_assert_cmpmem(buf, len, text, len);
}

/* Key and size of a file, from the directory; 0: it is not there. */
static uint16_t find(struct fixture *f, const char *name, uint32_t *ret_size)
{
	uint8_t count[4], entry[64];

	select_key(f, FW_CFG_DIRECTORY);
	read_ports(f, count, sizeof(count));
	for (uint32_t i = 0; i < get_be32(count); i++) {
		read_ports(f, entry, sizeof(entry));
		*ret_size = get_be32(entry);
		if (!strcmp((const char *)entry + 8, name))
			return get_be16(entry + 4);
	}
	return 0;
}

static void test_ports(struct fixture *f, const void *data)
{
	uint8_t buf[8];

	(void)data;
	select_key(f, FW_CFG_SIGNATURE);
	read_ports(f, buf, 8);
	g_assert_cmpmem(buf, 8, "QEMU\0\0\0\0", 8);
	select_key(f, FW_CFG_ID);
	read_ports(f, buf, 4);
	g_assert_cmphex(get_le32(buf), ==, 3);
	fw_cfg_set(f->cfg, FW_CFG_CPUS, "\2\0", 2);
	fw_cfg_set(f->cfg, FW_CFG_CPUS, "\3\0", 2);
	select_key(f, FW_CFG_CPUS);
	read_ports(f, buf, 2);
	g_assert_cmphex(get_le16(buf), ==, 3);
	/* What is not there, and accesses that are none. */
	select_key(f, 0x7777);
	read_ports(f, buf, 1);
	g_assert_cmphex(buf[0], ==, 0);
	select_key(f, FW_CFG_FILES);
	read_ports(f, buf, 1);
	g_assert_cmphex(buf[0], ==, 0);
	g_assert_cmphex(io_read(f->pio, 0x510, 2), ==, 0);
	io_write(f->pio, 0x510, 1, 0);
	io_write(f->pio, 0x511, 1, 0);
	select_key(f, FW_CFG_SIGNATURE);
	read_ports(f, buf, 1);
	fw_cfg_reset(f->cfg);
	read_ports(f, buf, 1);
	g_assert_cmphex(buf[0], ==, 'Q');
}

static void test_files(struct fixture *f, const void *data)
{
	uint32_t size = 0;
	uint8_t buf[8];

	(void)data;
	fw_cfg_set_file(f->cfg, "etc/b", "bee", 3);
	fw_cfg_set_file(f->cfg, "etc/a", "ay", 2);
	fw_cfg_set_file(f->cfg, "etc/c", "sea", 3);
	fw_cfg_set_file(f->cfg, "etc/b", "bumble", 6);
	g_assert_cmphex(find(f, "etc/a", &size), ==, 0x20);
	g_assert_cmpuint(size, ==, 2);
	g_assert_cmphex(find(f, "etc/c", &size), ==, 0x22);
	g_assert_cmphex(find(f, "etc/b", &size), ==, 0x21);
	g_assert_cmpuint(size, ==, 6);
	g_assert_cmphex(find(f, "etc/d", &size), ==, 0);
	select_key(f, 0x21);
	read_ports(f, buf, 8);
	g_assert_cmpmem(buf, 8, "bumble\0\0", 8);
	fw_cfg_set_file(f->cfg, "empty", "", 0);
	g_assert_cmphex(find(f, "empty", &size), ==, 0x20);
	g_assert_cmpuint(size, ==, 0);
}

static void test_transfers(struct fixture *f, const void *data)
{
	static const char file[] = "0123456789";
	const uint64_t high = UINT64_C(1) << 32;

	(void)data;
	g_assert_cmphex(io_read(f->pio, 0x514, 4), ==, 0x554d4551);
	g_assert_cmphex(io_read(f->pio, 0x518, 4), ==, 0x47464320);
	fw_cfg_set_file(f->cfg, "f", file, 10);
	/* Selected by port, read by transfer, and the other way round. */
	select_key(f, 0x20);
	g_assert_cmphex(transfer(f, READ, 4, BUFFER), ==, 0);
	expect(f, BUFFER, "0123", 4);
	g_assert_cmphex(io_read(f->pio, 0x511, 1), ==, '4');
	g_assert_cmphex(transfer(f, SKIP, 2, 0), ==, 0);
	g_assert_cmphex(transfer(f, READ, 8, BUFFER), ==, 0);
	expect(f, BUFFER, "789\0\0\0\0\0", 8);
	g_assert_cmphex(transfer_at(f, high, 0x20 << 16 | SELECT | READ, 2, high + 64), ==, 0);
	expect(f, high + 64, "01", 2);
	g_assert_cmphex(transfer(f, 0x21 << 16 | SELECT, 0, 0), ==, 0);
	g_assert_cmphex(transfer(f, READ, 2, BUFFER), ==, 0);
	expect(f, BUFFER, "\0\0", 2);
	/* The high half of the address is for one transfer only. */
	select_key(f, 0x20);
	io_write(f->pio, 0x518, 4, __builtin_bswap32(DESCRIPTOR));
	/* Nothing to do is done. */
	g_assert_cmphex(transfer(f, 0, 5, BUFFER), ==, 0);
	g_assert_cmphex(transfer(f, READ, 0, UINT64_MAX), ==, 0);
}

static void test_hostile(struct fixture *f, const void *data)
{
	(void)data;
	select_key(f, 0);
	/* Where there is no RAM. */
	g_assert_cmphex(transfer(f, READ, 16, RAM - 8), ==, ERROR);
	g_assert_cmphex(transfer(f, READ, 16, UINT64_MAX - 8), ==, ERROR);
	g_assert_cmphex(transfer(f, READ, UINT32_MAX, 0), ==, ERROR);
	start(f, RAM - 8);
	start(f, UINT64_MAX - 4);
	/* What would change something. */
	g_assert_cmphex(transfer(f, WRITE, 4, BUFFER), ==, ERROR);
	expect(f, BUFFER, "\0\0\0\0", 4);
	/* The offset has an end. */
	g_assert_cmphex(transfer(f, SKIP, UINT32_MAX, 0), ==, 0);
	g_assert_cmphex(transfer(f, SKIP, UINT32_MAX, 0), ==, 0);
	g_assert_cmphex(transfer(f, READ, 4, BUFFER), ==, 0);
	/* Over its own descriptor, and all of the memory. */
	select_key(f, 0);
	g_assert_cmphex(transfer(f, READ, (uint32_t)RAM, 0), ==, 0);
	expect(f, 0, "QEMU", 4);
	/* Other sizes and places do nothing. */
	io_write(f->pio, 0x514, 8, 0);
	io_write(f->pio, 0x516, 4, 0);
	io_write(f->pio, 0x518, 2, 0);
}

static void test_taken(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	g_assert_null(fw_cfg_new(f->pio, f->mem, &error));
	g_assert_nonnull(error);
	fw_cfg_free(NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/dev/fw-cfg/ports", test_ports },
		{ "/dev/fw-cfg/files", test_files },
		{ "/dev/fw-cfg/transfers", test_transfers },
		{ "/dev/fw-cfg/hostile", test_hostile },
		{ "/dev/fw-cfg/taken", test_taken },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
