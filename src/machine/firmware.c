/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firmware.c - firmware as a file: what a PC executes first, instead of a kernel that we load
 */
#include "machine/firmware.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "dev/fw-cfg.h"
#include "machine/boot-int.h"
#include "machine/memmap.h"
#include "mem/mem.h"

enum {
	RESET_VECTOR = 16, /* bytes before the end */
	VOLUME_SIGNATURE = 0x28,
	ROM_MAX = 128 << 10,
};

struct firmware {
	uint8_t *bytes;
	uint64_t size;
};

static bool refuse(const struct boot_file *file, GError **error)
{
	static const uint64_t granule = FIRMWARE_GRANULE;

	if (file->size % granule || file->size > FIRMWARE_MAX)
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "has %" PRIu64
				   " bytes: firmware has a multiple of 64 KiB, up to "
				   "%" PRIu64 " MiB",
				   file->size, (uint64_t)FIRMWARE_MAX / BOOT_MIB);
	return true;
}

/* Will a CPU find anything in it? */
static bool check(const struct boot_file *file, const uint8_t *bytes, GError **error)
{
	const uint8_t *vector = bytes + file->size - RESET_VECTOR;
	bool blank = true;

	if (!memcmp(bytes + VOLUME_SIGNATURE, "_FVH", 4))
		return boot_refuse(file, error, SOCLE_ERROR_UNSUPPORTED,
				   "is UEFI firmware, which this machine cannot run: give a BIOS");
	for (unsigned i = 1; i < RESET_VECTOR; i++)
		blank &= vector[i] == vector[0];
	if (blank)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "has nothing at its end, where a CPU begins: it is no firmware");
	return true;
}

static struct firmware *read_file(const struct boot_file *file, GError **error)
{
	autoptr(firmware) firmware = g_new0(struct firmware, 1);

	firmware->size = file->size;
	firmware->bytes = g_malloc(file->size);
	if (!boot_file_read(file, 0, firmware->bytes, file->size, error))
		return NULL;
	return g_steal_pointer(&firmware);
}

static struct firmware *read_bios(const struct boot_file *file, GError **error)
{
	autoptr(firmware) firmware = NULL;

	if (!refuse(file, error))
		return NULL;
	firmware = read_file(file, error);
	if (!firmware || !check(file, firmware->bytes, error))
		return NULL;
	return g_steal_pointer(&firmware);
}

static struct firmware *read_rom(const struct boot_file *file, GError **error)
{
	autoptr(firmware) firmware = NULL;

	if (file->size > ROM_MAX) {
		boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
			    "has %" PRIu64 " bytes: a ROM has at most %d", file->size, ROM_MAX);
		return NULL;
	}
	firmware = read_file(file, error);
	if (!firmware)
		return NULL;
	if (firmware->size < 3 || firmware->bytes[0] != 0x55 || firmware->bytes[1] != 0xaa) {
		boot_refuse(file, error, SOCLE_ERROR_CORRUPT, "is no ROM of a PC");
		return NULL;
	}
	return g_steal_pointer(&firmware);
}

/* The first of the files that is there, or NULL. */
static const char *first_of(const char *const *paths, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (g_file_test(paths[i], G_FILE_TEST_EXISTS))
			return paths[i];
	}
	return NULL;
}

struct firmware *firmware_open(const char *name, GError **error)
{
	static const char *const bios[] = { "/usr/share/seabios/bios-256k.bin",
					    "/usr/share/qemu/bios-256k.bin",
					    "/usr/share/seabios/bios.bin" };
	struct boot_file file;
	struct firmware *firmware;
	const char *path = NULL;

	if (!strcmp(name, "bios"))
		path = first_of(bios, ARRAY_SIZE(bios));
	if (!strcmp(name, "bios") && !path) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no BIOS on this host: install the package seabios, or give "
			  "--firmware FILE");
		return NULL;
	}
	if (!boot_file_open(&file, "firmware", path ? path : name, error))
		return NULL;
	firmware = read_bios(&file, error);
	boot_file_release(&file);
	return firmware;
}

struct firmware *firmware_open_vga(GError **error)
{
	static const char *const roms[] = { "/usr/share/seabios/vgabios-stdvga.bin",
					    "/usr/share/qemu/vgabios-stdvga.bin" };
	const char *path = first_of(roms, ARRAY_SIZE(roms));
	struct boot_file file;
	struct firmware *firmware;

	if (!path) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no BIOS for a VGA on this host: install the package seabios");
		return NULL;
	}
	if (!boot_file_open(&file, "ROM", path, error))
		return NULL;
	firmware = read_rom(&file, error);
	boot_file_release(&file);
	return firmware;
}

void firmware_free(struct firmware *firmware)
{
	if (!firmware)
		return;
	g_free(firmware->bytes);
	g_free(firmware);
}

uint64_t firmware_size(const struct firmware *firmware)
{
	return firmware->size;
}

bool firmware_place(const struct firmware *firmware, struct mem *mem, GError **error)
{
	const uint64_t low = MIN(firmware->size, FIRMWARE_LOW);
	int err;

	err = mem_write(mem, MEMMAP_ABOVE_4G - firmware->size, firmware->bytes, firmware->size);
	if (!err)
		err = mem_write(mem, MEMMAP_HIGH - low, firmware->bytes + firmware->size - low,
				low);
	if (err)
		return error_sys(error, err, "cannot put the firmware into the guest's memory");
	return true;
}

void firmware_tell_file(const struct firmware *firmware, struct fw_cfg *cfg, const char *name)
{
	fw_cfg_set_file(cfg, name, firmware->bytes, firmware->size);
}
