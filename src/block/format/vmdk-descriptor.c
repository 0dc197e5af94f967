/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdk-descriptor.c - the header of a VMDK image and the text in it or in place of it
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/vmdk-int.h"

enum {
	H_VERSION = 4,
	H_FLAGS = 8,
	H_SECTORS = 12,
	H_GRAIN = 20,
	H_DESCRIPTOR = 28,
	H_DESCRIPTOR_LEN = 36,
	H_TABLE_ENTRIES = 44,
	H_SECOND = 48,
	H_DIRECTORY = 56,
	H_OVERHEAD = 64,
	H_NEWLINES = 73,
	H_COMPRESSION = 77,

	NAME_LEN = 511, /* of an extent */
	CID_LEN = 8,
};

/* Who copies an image as text breaks these. */
static const uint8_t newlines[4] = { '\n', ' ', '\r', '\n' };
static const char first_line[] = "# Disk DescriptorFile";

bool vmdk_is_header(const uint8_t *bytes)
{
	return !memcmp(bytes, "KDMV", 4);
}

void vmdk_header_parse(const uint8_t *bytes, struct vmdk_header *ret)
{
	*ret = (struct vmdk_header){
		.version = get_le32(bytes + H_VERSION),
		.flags = get_le32(bytes + H_FLAGS),
		.table_entries = get_le32(bytes + H_TABLE_ENTRIES),
		.sectors = get_le64(bytes + H_SECTORS),
		.grain = get_le64(bytes + H_GRAIN),
		.descriptor = get_le64(bytes + H_DESCRIPTOR),
		.descriptor_len = get_le64(bytes + H_DESCRIPTOR_LEN),
		.second = get_le64(bytes + H_SECOND),
		.directory = get_le64(bytes + H_DIRECTORY),
		.overhead = get_le64(bytes + H_OVERHEAD),
		.compression = get_le16(bytes + H_COMPRESSION),
		.is_text = memcmp(bytes + H_NEWLINES, newlines, sizeof(newlines)) != 0,
	};
}

void vmdk_header_format(const struct vmdk_header *header, uint8_t *bytes)
{
	memset(bytes, 0, VMDK_HEADER_LEN);
	memcpy(bytes, "KDMV", 4);
	put_le32(bytes + H_VERSION, header->version);
	put_le32(bytes + H_FLAGS, header->flags);
	put_le32(bytes + H_TABLE_ENTRIES, header->table_entries);
	put_le64(bytes + H_SECTORS, header->sectors);
	put_le64(bytes + H_GRAIN, header->grain);
	put_le64(bytes + H_DESCRIPTOR, header->descriptor);
	put_le64(bytes + H_DESCRIPTOR_LEN, header->descriptor_len);
	put_le64(bytes + H_SECOND, header->second);
	put_le64(bytes + H_DIRECTORY, header->directory);
	put_le64(bytes + H_OVERHEAD, header->overhead);
	put_le16(bytes + H_COMPRESSION, header->compression);
	memcpy(bytes + H_NEWLINES, newlines, sizeof(newlines));
}

/* ---- the text ---- */

bool vmdk_is_descriptor(const char *text, size_t len)
{
	/* Some have an empty line or a comment before it; QEMU looks at the first ones only, too. */
	while (len && (*text == '\n' || *text == '\r' || *text == ' ')) {
		text++;
		len--;
	}
	return len >= strlen(first_line) &&
	       !g_ascii_strncasecmp(text, first_line, strlen(first_line));
}

/* The value of a line `key = "value"`, if it is one of that key. */
static char *value_of(const char *line, const char *key)
{
	const size_t len = strlen(key);
	char *value;

	if (g_ascii_strncasecmp(line, key, len) != 0)
		return NULL;
	line += len + strspn(line + len, " \t");
	if (*line != '=')
		return NULL;
	value = g_strstrip(g_strdup(line + 1));
	if (value[0] == '"') {
		memmove(value, value + 1, strlen(value));
		value[strcspn(value, "\"")] = 0;
	}
	return value;
}

static void take_value(const char *line, const char *key, char **ret)
{
	char *value = *ret ? NULL : value_of(line, key);

	if (value)
		*ret = value;
}

static bool take_extent(const char *name, const char *line, struct vmdk_descriptor *d,
			GError **error)
{
	char access[16], type[16], file[NAME_LEN + 1] = "";
	uint64_t len, off = 0;

	if (sscanf(line, "%15s %" SCNu64 " %15s \"%511[^\"]\" %" SCNu64, access, &len, type, file,
		   &off) < 3 ||
	    len > INT64_MAX / VMDK_SECTOR || off > INT64_MAX / VMDK_SECTOR - len)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "image '%s' has an extent that makes no sense", name);
	d->extents++;
	d->flat = !strcmp(type, "FLAT") || !strcmp(type, "VMFS");
	d->extent_len = len;
	d->extent_off = off;
	g_free(d->extent_name);
	d->extent_name = g_strdup(file);
	return true;
}

bool vmdk_descriptor_parse(const char *name, const char *text, struct vmdk_descriptor *ret,
			   GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *parent = NULL;

	*ret = (struct vmdk_descriptor){ .parent = UINT32_MAX };
	for (unsigned i = 0; lines[i]; i++) {
		const char *line = g_strstrip(lines[i]);

		take_value(line, "createType", &ret->type);
		take_value(line, "parentCID", &parent);
		take_value(line, "parentFileNameHint", &ret->parent_name);
		if ((g_str_has_prefix(line, "RW ") || g_str_has_prefix(line, "RDONLY ") ||
		     g_str_has_prefix(line, "NOACCESS ")) &&
		    !take_extent(name, line, ret, error))
			return false;
	}
	if (parent)
		ret->parent = (uint32_t)g_ascii_strtoull(parent, NULL, 16);
	return true;
}

void vmdk_descriptor_clear(struct vmdk_descriptor *d)
{
	g_free(d->type);
	g_free(d->parent_name);
	g_free(d->extent_name);
}

const char *vmdk_descriptor_cid(const char *text)
{
	const char *at = strstr(text, "\nCID=");

	if (!at)
		return NULL;
	at += strlen("\nCID=");
	for (unsigned i = 0; i < CID_LEN; i++)
		if (!g_ascii_isxdigit(at[i]))
			return NULL;
	return at;
}

char *vmdk_descriptor_format(const struct image_create *what, const char *type, const char *adapter,
			     const char *hwversion)
{
	g_autofree char *name = g_path_get_basename(what->path);
	const unsigned heads = strcmp(adapter, "ide") != 0 ? 255 : 16;

	return g_strdup_printf("%s\n"
			       "version=1\n"
			       "CID=%08x\n"
			       "parentCID=ffffffff\n"
			       "createType=\"%s\"\n"
			       "\n"
			       "# Extent description\n"
			       "RW %" PRIu64 " SPARSE \"%s\"\n"
			       "\n"
			       "# The Disk Data Base\n"
			       "#DDB\n"
			       "\n"
			       "ddb.virtualHWVersion = \"%s\"\n"
			       "ddb.geometry.cylinders = \"%" PRIu64 "\"\n"
			       "ddb.geometry.heads = \"%u\"\n"
			       "ddb.geometry.sectors = \"63\"\n"
			       "ddb.adapterType = \"%s\"\n"
			       "ddb.toolsVersion = \"2147483647\"\n",
			       first_line, g_random_int(), type, what->size / VMDK_SECTOR, name,
			       hwversion, what->size / (UINT64_C(63) * heads * VMDK_SECTOR), heads,
			       adapter);
}
