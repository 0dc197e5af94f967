/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-peek.c - QMP: what stands in a guest's memory and on its disks
 *
 * memsave and pmemsave are QEMU's, and write a file. x-memory-read and x-block-read are ours: a piece
 * of at most PIECE_MAX bytes as base64, for who asks from another process. A running guest is not
 * stopped for more than a moment, so what is read may be of several.
 */
#include <fcntl.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/block.h"
#include "cpu/state.h"
#include "cpu/walk.h"
#include "machine/machine.h"
#include "mem/mem.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/devices.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

enum {
	PIECE_MAX = 256 * 1024,
};

/* ---- memory ---- */

struct reader {
	const struct mem *mem;
	struct x86_state *state; /* NULL: addresses are physical */
};

static bool reader_init(struct reader *reader, struct vmm *vmm, const json_t *args, bool is_virtual,
			GError **error)
{
	const json_int_t cpu = json_integer_value(json_object_get(args, "cpu-index"));

	*reader = (struct reader){ .mem = machine_mem(vmm->machine) };
	if (cpu < 0 || cpu >= machine_cpus(vmm->machine))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'cpu-index' expects a CPU number; there are 0 to %u",
				 machine_cpus(vmm->machine) - 1);
	if (!is_virtual)
		return true;
	reader->state = g_new(struct x86_state, 1);
	if (machine_cpu_state(vmm->machine, (unsigned)cpu, reader->state, error))
		return true;
	g_clear_pointer(&reader->state, g_free);
	return false;
}

static bool read_memory(const struct reader *reader, uint64_t address, uint8_t *buf, size_t len,
			GError **error)
{
	while (len > 0) {
		uint64_t gpa = address, part = MEM_PAGE_SIZE - address % MEM_PAGE_SIZE;

		if (reader->state && !x86_walk(reader->mem, reader->state, address, &gpa, &part))
			return error_set(error, SOCLE_ERROR_NOT_FOUND,
					 "the guest has mapped nothing at address 0x%" PRIx64,
					 address);
		part = MIN(MIN(part, MEM_PAGE_SIZE - gpa % MEM_PAGE_SIZE), len);
		if (mem_read(reader->mem, gpa, buf, part) < 0)
			return error_set(error, SOCLE_ERROR_NOT_FOUND,
					 "there is no memory at physical address 0x%" PRIx64, gpa);
		address += part;
		buf += part;
		len -= part;
	}
	return true;
}

/* A length that fits behind @address, and within @max. */
static bool take_size(const json_t *args, uint64_t address, uint64_t max, size_t *ret,
		      GError **error)
{
	const json_int_t size = json_integer_value(json_object_get(args, "size"));

	if (size <= 0 || (uint64_t)size > max)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "Parameter 'size' expects 1 to %" PRIu64 " bytes", max);
	if ((uint64_t)size - 1 > UINT64_MAX - address)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the range goes beyond the last address");
	*ret = (size_t)size;
	return true;
}

static json_t *encode(const uint8_t *buf, size_t len)
{
	g_autofree char *text = g_base64_encode(buf, len);

	return json_pack("{s:s}", "data", text);
}

json_t *run_memory_read(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	/* The upper half of the addresses is negative here, as JSON has them. */
	const uint64_t address = (uint64_t)json_integer_value(json_object_get(args, "address"));
	const bool is_virtual = json_is_true(json_object_get(args, "virtual"));
	g_autofree struct x86_state *state = NULL;
	g_autofree uint8_t *buf = NULL;
	struct reader reader;
	size_t len;

	if (!take_size(args, address, PIECE_MAX, &len, error) ||
	    !reader_init(&reader, vmm, args, is_virtual, error))
		return NULL;
	state = reader.state;
	buf = g_malloc(len);
	return read_memory(&reader, address, buf, len, error) ? encode(buf, len) : NULL;
}

static bool write_memory(const struct reader *reader, uint64_t address, uint64_t len,
			 const char *path, GError **error)
{
	g_autofree uint8_t *buf = g_malloc(PIECE_MAX);
	autofd int fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return error_sys(error, fd, "cannot open '%s'", path);
	while (len > 0) {
		const size_t part = MIN(len, PIECE_MAX);
		ssize_t n;

		if (!read_memory(reader, address, buf, part, error))
			return false;
		n = sys_write_full(fd, buf, part);
		if (n < 0)
			return error_sys(error, (int)n, "cannot write '%s'", path);
		address += part;
		len -= part;
	}
	return true;
}

static json_t *save_memory(struct vmm *vmm, const json_t *args, bool is_virtual, GError **error)
{
	const uint64_t address = (uint64_t)json_integer_value(json_object_get(args, "val"));
	const char *path = json_string_value(json_object_get(args, "filename"));
	g_autofree struct x86_state *state = NULL;
	struct reader reader;
	size_t len;

	/* What is mapped many times over could fill any disk. */
	if (!take_size(args, address, machine_memory(vmm->machine), &len, error) ||
	    !reader_init(&reader, vmm, args, is_virtual, error))
		return NULL;
	state = reader.state;
	return write_memory(&reader, address, len, path, error) ? json_object() : NULL;
}

json_t *run_memsave(void *opaque, const json_t *args, GError **error)
{
	return save_memory(opaque, args, true, error);
}

json_t *run_pmemsave(void *opaque, const json_t *args, GError **error)
{
	return save_memory(opaque, args, false, error);
}

/* ---- disks ---- */

struct reading {
	struct block_request req;
	struct iovec iov;
	bool done;
	int result;
};

static void on_read(struct block_request *req, int result)
{
	struct reading *reading = container_of(req, struct reading, req);

	reading->done = true;
	reading->result = result;
}

/* On a loop of our own, so that whatever the guest's requests are doing does not matter. */
static bool read_block(struct block *block, uint64_t off, void *buf, size_t len, GError **error)
{
	autoptr(io_loop) loop = io_loop_new_manual(IO_LOOP_AUTO, NULL, NULL, error);
	autoptr(block_queue) queue = loop ? block_queue_new(block, loop, error) : NULL;
	struct reading reading = { .req = { .op = BLOCK_READ,
					    .off = off,
					    .len = len,
					    .iov = &reading.iov,
					    .iov_count = 1,
					    .done = on_read },
				   .iov = { buf, len } };

	if (!queue)
		return false;
	block_submit(queue, &reading.req);
	while (!reading.done)
		(void)io_loop_run(loop, true);
	if (reading.result < 0)
		return error_sys(error, reading.result, "cannot read '%s'", block_path(block));
	return true;
}

static struct vmm_node *find_node(struct vmm *vmm, const char *name, GError **error)
{
	struct vmm_device *drive = device_find_kind(vmm, DEVICE_CDROM, name);
	struct vmm_node *node = drive ? drive->node : node_find_device(vmm, name, error);

	if (drive && !node)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' has no medium", name);
	if (node && !node->block) {
		error_set(error, SOCLE_ERROR_STATE,
			  "Node '%s' has no image of its own; name the disk", node->name);
		return NULL;
	}
	/* A job may go on; but one block is not read while another one takes its place. */
	if (node && (node->changing || node->shrinking)) {
		error_set(error, SOCLE_ERROR_BUSY,
			  "Node '%s' is busy: its image is being changed; try again", node->name);
		return NULL;
	}
	return node;
}

json_t *run_block_read(void *opaque, const json_t *args, GError **error)
{
	const uint64_t off = (uint64_t)json_integer_value(json_object_get(args, "offset"));
	const char *name = json_string_value(json_object_get(args, "device"));
	struct vmm_node *node = find_node(opaque, name, error);
	uint64_t begin, end;
	struct block_info info;
	json_t *answer = NULL;
	uint8_t *buf;
	size_t len;

	if (!node || !take_size(args, off, PIECE_MAX, &len, error))
		return NULL;
	block_info(node->block, &info);
	if (off > info.size || len > info.size - off) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "the disk has %" PRIu64 " bytes; there are not %zu at offset %" PRIu64,
			  info.size, len, off);
		return NULL;
	}
	begin = off - off % info.request_alignment;
	end = (off + len + info.request_alignment - 1) / info.request_alignment *
	      info.request_alignment;
	buf = g_aligned_alloc(1, end - begin, MEM_PAGE_SIZE);
	if (read_block(node->block, begin, buf, end - begin, error))
		answer = encode(buf + (off - begin), len);
	g_aligned_free(buf);
	return answer;
}
