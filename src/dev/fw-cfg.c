/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw-cfg.c - firmware configuration: what the machine tells its firmware, by key and as files
 *
 * Selection and offset are one state of both ways to read: firmware selects by port and goes on by
 * transfer. What is not there, and what is behind the end of something, reads as zeros.
 *
 * A transfer's descriptor is 16 bytes in the guest's memory, all big endian: control word, length,
 * address. Control is written back when it is over: 0, or ERROR alone. A range that is not all RAM
 * is an error, and nothing of it is written. A guest can ask for as much as it has memory, zeros, in
 * one transfer: that costs time of its own vCPU.
 *
 *  (1) files is ascending by name; the key of a file is FW_CFG_FILES + its index.
 *  (2) item[FW_CFG_DIRECTORY] tells of files as they are.
 */
#include "dev/fw-cfg.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "bus/io.h"
#include "mem/mem.h"

enum {
	PORTS = 2,
	DMA_PORTS = 8,

	DMA_ERROR = 1 << 0,
	DMA_READ = 1 << 1,
	DMA_SKIP = 1 << 2,
	DMA_SELECT = 1 << 3,
	DMA_WRITE = 1 << 4,
	DMA_LEN = 16,

	ID_PORTS = 1 << 0,
	ID_DMA = 1 << 1,

	ENTRY_LEN = 64, /* of the directory: size, key, 2 spare bytes, name */
};

struct file {
	char name[FW_CFG_NAME_LEN];
	GBytes *bytes;
};

struct fw_cfg {
	struct io_space *pio;
	struct mem *mem;
	struct io_range ports, dma;
	unsigned added; /* how many of the ranges are */

	pthread_mutex_t lock; /* guards all below */
	uint16_t selected;
	uint32_t off;
	uint32_t dma_high;
	GBytes *item[FW_CFG_FILES];
	unsigned file_count;
	struct file file[FW_CFG_MAX_FILES];
};

/* ---- reading ---- */

/* What is selected from the offset on. */
static const uint8_t *rest_locked(const struct fw_cfg *cfg, size_t *ret_len)
{
	GBytes *bytes = NULL;
	const uint8_t *p = NULL;
	size_t len = 0;

	if (cfg->selected < FW_CFG_FILES)
		bytes = cfg->item[cfg->selected];
	else if (cfg->selected - FW_CFG_FILES < (int)cfg->file_count)
		bytes = cfg->file[cfg->selected - FW_CFG_FILES].bytes;
	if (bytes)
		p = g_bytes_get_data(bytes, &len);
	if (cfg->off >= len) {
		*ret_len = 0;
		return NULL;
	}
	*ret_len = len - cfg->off;
	return p + cfg->off;
}

static void advance_locked(struct fw_cfg *cfg, uint32_t len)
{
	cfg->off = len > UINT32_MAX - cfg->off ? UINT32_MAX : cfg->off + len;
}

static void select_locked(struct fw_cfg *cfg, uint16_t key)
{
	cfg->selected = key;
	cfg->off = 0;
}

static uint64_t ports_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct fw_cfg *cfg = container_of(range, struct fw_cfg, ports);
	const uint8_t *p;
	uint64_t value = 0;
	size_t len;

	if (off != 1 || size != 1)
		return 0;
	pthread_mutex_lock(&cfg->lock);
	p = rest_locked(cfg, &len);
	if (len) {
		value = *p;
		advance_locked(cfg, 1);
	}
	pthread_mutex_unlock(&cfg->lock);
	return value;
}

static void ports_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct fw_cfg *cfg = container_of(range, struct fw_cfg, ports);

	if (off != 0 || size != 2)
		return;
	pthread_mutex_lock(&cfg->lock);
	select_locked(cfg, (uint16_t)value);
	pthread_mutex_unlock(&cfg->lock);
}

static const struct io_ops ports_ops = { .read = ports_read, .write = ports_write };

/* ---- transfers ---- */

static bool dma_read_locked(struct fw_cfg *cfg, uint64_t gpa, uint32_t len)
{
	uint8_t *to = mem_ptr_write(cfg->mem, gpa, len);
	const uint8_t *from;
	size_t have;

	if (!to)
		return false;
	from = rest_locked(cfg, &have);
	have = MIN(have, len);
	if (have)
		memcpy(to, from, have);
	memset(to + have, 0, len - have);
	mem_written(cfg->mem, gpa, len);
	return true;
}

static void dma_locked(struct fw_cfg *cfg, uint64_t gpa)
{
	uint8_t descriptor[DMA_LEN];
	uint32_t control, len;
	bool ok = true;

	if (mem_read(cfg->mem, gpa, descriptor, sizeof(descriptor)) < 0)
		return;
	control = get_be32(descriptor);
	len = get_be32(descriptor + 4);
	if (control & DMA_SELECT)
		select_locked(cfg, (uint16_t)(control >> 16));
	if (control & DMA_READ && len)
		ok = dma_read_locked(cfg, get_be64(descriptor + 8), len);
	else if (control & DMA_WRITE && !(control & DMA_READ))
		ok = false;
	if (ok && control & (DMA_READ | DMA_SKIP))
		advance_locked(cfg, len);
	put_be32(descriptor, ok ? 0 : DMA_ERROR);
	(void)mem_write(cfg->mem, gpa, descriptor, 4);
}

/* It has a signature, for the curious. */
static uint64_t dma_port_read(struct io_range *range, uint64_t off, unsigned size)
{
	static const uint8_t signature[DMA_PORTS] = { 'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G' };
	uint64_t value = 0;

	(void)range;
	for (unsigned i = 0; i < size && off + i < DMA_PORTS; i++)
		value |= (uint64_t)signature[off + i] << (8 * i);
	return value;
}

static void dma_port_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct fw_cfg *cfg = container_of(range, struct fw_cfg, dma);
	uint8_t bytes[DMA_PORTS];

	if (size != 4 || off % 4)
		return;
	put_le32(bytes, (uint32_t)value);
	pthread_mutex_lock(&cfg->lock);
	if (off == 0) {
		cfg->dma_high = get_be32(bytes);
	} else {
		uint64_t gpa = (uint64_t)cfg->dma_high << 32 | get_be32(bytes);

		cfg->dma_high = 0;
		dma_locked(cfg, gpa);
	}
	pthread_mutex_unlock(&cfg->lock);
}

static const struct io_ops dma_ops = { .read = dma_port_read, .write = dma_port_write };

/* ---- what there is ---- */

static void put_item_locked(struct fw_cfg *cfg, uint16_t key, GBytes *bytes)
{
	g_clear_pointer(&cfg->item[key], g_bytes_unref);
	cfg->item[key] = bytes;
}

static void write_directory_locked(struct fw_cfg *cfg)
{
	size_t len = 4 + (size_t)cfg->file_count * ENTRY_LEN;
	uint8_t *directory = g_malloc0(len);

	put_be32(directory, cfg->file_count);
	for (unsigned i = 0; i < cfg->file_count; i++) {
		uint8_t *entry = directory + 4 + (size_t)i * ENTRY_LEN;

		put_be32(entry, (uint32_t)g_bytes_get_size(cfg->file[i].bytes));
		put_be16(entry + 4, (uint16_t)(FW_CFG_FILES + i));
		memcpy(entry + 8, cfg->file[i].name, FW_CFG_NAME_LEN);
	}
	put_item_locked(cfg, FW_CFG_DIRECTORY, g_bytes_new_take(directory, len));
}

void fw_cfg_set(struct fw_cfg *cfg, uint16_t key, const void *bytes, size_t len)
{
	assert(key < FW_CFG_FILES && key != FW_CFG_DIRECTORY && len <= UINT32_MAX);
	pthread_mutex_lock(&cfg->lock);
	put_item_locked(cfg, key, g_bytes_new(bytes, len));
	pthread_mutex_unlock(&cfg->lock);
}

void fw_cfg_set_file(struct fw_cfg *cfg, const char *name, const void *bytes, size_t len)
{
	unsigned at = 0;

	assert(strlen(name) < FW_CFG_NAME_LEN && len <= UINT32_MAX);
	pthread_mutex_lock(&cfg->lock);
	while (at < cfg->file_count && strcmp(cfg->file[at].name, name) < 0)
		at++;
	if (at == cfg->file_count || strcmp(cfg->file[at].name, name) != 0) {
		assert(cfg->file_count < FW_CFG_MAX_FILES);
		memmove(&cfg->file[at + 1], &cfg->file[at],
			(cfg->file_count - at) * sizeof(cfg->file[0]));
		cfg->file[at] = (struct file){ .bytes = NULL };
		(void)g_strlcpy(cfg->file[at].name, name, FW_CFG_NAME_LEN);
		cfg->file_count++;
	}
	g_clear_pointer(&cfg->file[at].bytes, g_bytes_unref);
	cfg->file[at].bytes = g_bytes_new(bytes, len);
	write_directory_locked(cfg);
	pthread_mutex_unlock(&cfg->lock);
}

/* ---- life ---- */

struct fw_cfg *fw_cfg_new(struct io_space *pio, struct mem *mem, GError **error)
{
	autoptr(fw_cfg) cfg = g_new(struct fw_cfg, 1);
	struct io_range *ranges[] = { &cfg->ports, &cfg->dma };
	uint8_t id[4];

	*cfg = (struct fw_cfg){
		.pio = pio,
		.mem = mem,
		.ports = { .ops = &ports_ops, .base = FW_CFG_PORT, .len = PORTS, .name = "fw-cfg" },
		.dma = { .ops = &dma_ops,
			 .base = FW_CFG_DMA_PORT,
			 .len = DMA_PORTS,
			 .name = "fw-cfg-dma" },
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	put_le32(id, ID_PORTS | ID_DMA);
	fw_cfg_set(cfg, FW_CFG_SIGNATURE, "QEMU", 4);
	fw_cfg_set(cfg, FW_CFG_ID, id, sizeof(id));
	write_directory_locked(cfg);
	for (; cfg->added < ARRAY_SIZE(ranges); cfg->added++) {
		if (!io_space_add(pio, ranges[cfg->added], error))
			return NULL;
	}
	return g_steal_pointer(&cfg);
}

void fw_cfg_free(struct fw_cfg *cfg)
{
	if (!cfg)
		return;

	struct io_range *ranges[] = { &cfg->ports, &cfg->dma };

	while (cfg->added)
		io_space_remove(cfg->pio, ranges[--cfg->added]);
	for (unsigned i = 0; i < FW_CFG_FILES; i++)
		g_clear_pointer(&cfg->item[i], g_bytes_unref);
	for (unsigned i = 0; i < cfg->file_count; i++)
		g_bytes_unref(cfg->file[i].bytes);
	pthread_mutex_destroy(&cfg->lock);
	g_free(cfg);
}

void fw_cfg_reset(struct fw_cfg *cfg)
{
	pthread_mutex_lock(&cfg->lock);
	select_locked(cfg, 0);
	cfg->dma_high = 0;
	pthread_mutex_unlock(&cfg->lock);
}
