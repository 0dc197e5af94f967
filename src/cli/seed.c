/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seed.c - what a new guest is told by a small CD: cloud-init's data source NoCloud
 *
 * The CD has one folder with two to four files. ISO 9660 (ECMA-119) names them in capitals, which Linux shows
 * in small letters; Joliet, a second folder of the same files, has the names as they are:
 *
 *	0-15  nothing       19, 20  path tables, little and big endian      25  files, each from a
 *	16    descriptor    21, 22  the same of Joliet                          sector of its own on
 *	17    of Joliet     23, 24  the folder, that of Joliet
 *	18    the last one
 */
#include "cli/seed.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
	SECTOR = 2048,
	AT_DESCRIPTOR = 16,
	AT_JOLIET = 17,
	AT_LAST = 18,
	AT_PATHS = 19,
	AT_JOLIET_PATHS = 21,
	AT_FOLDER = 23,
	AT_JOLIET_FOLDER = 24,
	AT_FILES = 25,
	FILES_MAX = 4,
	PATH_TABLE_LEN = 10,
	ROOT_RECORD = 156, /* in a descriptor */
	RECORD_LEN = 33,   /* without the name */
	FOLDER = 1 << 1,   /* among the flags of a record */
	/* Of user data: where cloud-init looks for what it is. */
	USER_DATA_HEAD = 4096,
};

struct file {
	const char *name, *capitals; /* the latter as ISO 9660 has it */
	const char *text;
	size_t len;
	uint32_t sector;
};

void seed_free(struct seed *seed)
{
	if (!seed)
		return;
	g_free(seed->meta_data);
	g_free(seed->user_data);
	g_free(seed->network_config);
	g_free(seed->vendor_data);
	g_free(seed);
}

/* ---- texts: JSON, which is YAML, too ---- */

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2)), *copy = g_strconcat(text, "\n", NULL);

	free(text);
	json_decref(json);
	return copy;
}

char *seed_meta_data(const char *instance, const char *hostname, char *const *keys)
{
	json_t *json = json_pack("{s:s, s:s}", "instance-id", instance, "local-hostname", hostname);
	json_t *list = json_array();

	for (unsigned i = 0; keys && keys[i]; i++)
		json_array_append_new(list, json_string(keys[i]));
	if (json_array_size(list))
		json_object_set(json, "public-keys", list);
	json_decref(list);
	return dump(json);
}

char *seed_meta_data_anew(const char *text, const char *instance, const char *hostname)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	json_object_set_new(json, "instance-id", json_string(instance));
	json_object_set_new(json, "local-hostname", json_string(hostname));
	return dump(json);
}

/*
 * A boot hook runs before most of the system, and is not merged with the user's list of commands. What
 * D-Bus has would be taken as it is.
 */
char *seed_vendor_data_anew(void)
{
	return g_strdup(
		"#cloud-boothook\n"
		"#!/bin/sh\n"
		"# This is a clone: a machine-id is one machine's alone.\n"
		"command -v systemd-machine-id-setup >/dev/null || exit 0\n"
		"exec cloud-init-per instance machine-id sh -c '\n"
		"rm -f /etc/machine-id /var/lib/dbus/machine-id\n"
		"systemd-machine-id-setup\n"
		"[ ! -d /var/lib/dbus ] || ln -s /etc/machine-id /var/lib/dbus/machine-id'\n");
}

char *seed_network_config(const char *const *macs, unsigned count)
{
	json_t *cards = json_object();

	for (unsigned i = 0; i < count; i++) {
		g_autofree char *id = g_strdup_printf("card%u", i);

		json_object_set_new(
			cards, id,
			json_pack("{s:{s:s}, s:b}", "match", "macaddress", macs[i], "dhcp4", true));
	}
	return dump(json_pack("{s:i, s:o}", "version", 2, "ethernets", cards));
}

/* ---- what users give ---- */

/* The end of a word; in quotes it has blanks. */
static const char *word_end(const char *p)
{
	for (bool quoted = false; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '\\' && p[1] == '"')
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

/* A key is a row of texts, each behind its length; the first one is its type (RFC 4253, 6.6). */
static bool is_blob(const uint8_t *blob, size_t len, const char *type)
{
	size_t at = 0;

	while (len - at >= 4) {
		uint32_t size = get_be32(blob + at);

		at += 4;
		if (size > len - at)
			return false;
		if (at == 4 && (size != strlen(type) || memcmp(blob + at, type, size) != 0))
			return false;
		at += size;
	}
	return at == len && len > 4 + strlen(type);
}

static bool is_key_at(const char *p)
{
	const char *end = word_end(p);
	g_autofree char *type = g_strndup(p, (size_t)(end - p)), *text = NULL;
	g_autofree uint8_t *blob = NULL;
	size_t len = 0;

	end += strspn(end, " \t");
	text = g_strndup(end, (size_t)(word_end(end) - end));
	blob = *text ? g_base64_decode(text, &len) : NULL;
	return blob && is_blob(blob, len, type);
}

bool seed_is_key(const char *line)
{
	const char *next = word_end(line);

	/* Its options are one word. */
	return is_key_at(line) || is_key_at(next + strspn(next, " \t"));
}

bool seed_check_user_data(const char *text, GError **error)
{
	static const char *const heads[] = {
		"#cloud-config", "#!",
		"#include",      "#cloud-boothook",
		"#part-handler", "## template: jinja",
		"#upstart-job",
	};
	g_autofree char *head = g_ascii_strdown(text, (gssize)strnlen(text, USER_DATA_HEAD));
	const char *begin = head;

	if (g_str_has_prefix(begin, "\357\273\277"))
		begin += 3;
	while (g_ascii_isspace(*begin))
		begin++;
	for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
		if (g_str_has_prefix(begin, heads[i]))
			return true;
	}
	/* Several parts as in a mail. */
	if (strstr(head, "mime-version:"))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "cloud-init would drop it without a word, as it begins with none of "
			 "'#cloud-config', '#!' and their like");
}

char *seed_hostname(const char *name)
{
	g_autoptr(GString) host = g_string_new(NULL);

	for (; *name && host->len < 63; name++)
		g_string_append_c(host, g_ascii_isalnum(*name) ? *name : '-');
	while (host->len && host->str[host->len - 1] == '-')
		g_string_truncate(host, host->len - 1);
	while (host->len && host->str[0] == '-')
		g_string_erase(host, 0, 1);
	return g_strdup(host->len ? host->str : "guest");
}

/* ---- writing ---- */

/* Both orders, one behind the other, as most numbers are there. */
static void put_both16(uint8_t *p, uint16_t v)
{
	put_le16(p, v);
	put_be16(p + 2, v);
}

static void put_both32(uint8_t *p, uint32_t v)
{
	put_le32(p, v);
	put_be32(p + 4, v);
}

/* A record of a folder; its length. */
static size_t put_record(uint8_t *p, const void *name, size_t name_len, uint32_t sector,
			 uint32_t len, uint8_t flags)
{
	size_t size = (RECORD_LEN + name_len + 1) & ~(size_t)1;

	p[0] = (uint8_t)size;
	put_both32(p + 2, sector);
	put_both32(p + 10, len);
	p[25] = flags;
	put_both16(p + 28, 1);
	p[32] = (uint8_t)name_len;
	memcpy(p + RECORD_LEN, name, name_len);
	return size;
}

/* UCS-2, big endian; our names are ASCII. Return: bytes. */
static size_t wide(const char *text, uint8_t *ret)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		put_be16(ret + 2 * i, (uint16_t)text[i]);
	return 2 * len;
}

/* Text of a descriptor, with blanks behind it. */
static void put_padded(uint8_t *p, size_t size, const char *text, bool joliet)
{
	for (size_t i = 0; i < size; i++)
		p[i] = joliet && !(i & 1) ? 0 : ' ';
	if (joliet)
		(void)wide(text, p);
	else
		memcpy(p, text, strlen(text));
}

static void put_descriptor(uint8_t *p, uint32_t sectors, bool joliet)
{
	static const uint8_t root[1] = { 0 };
	uint32_t paths = joliet ? AT_JOLIET_PATHS : AT_PATHS;

	p[0] = joliet ? 2 : 1;
	memcpy(p + 1, "CD001\1", 6);
	put_padded(p + 8, 32, "LINUX", joliet);
	put_padded(p + 40, 32, "CIDATA", joliet);
	put_both32(p + 80, sectors);
	if (joliet)
		memcpy(p + 88, "%/E", 3);
	put_both16(p + 120, 1);
	put_both16(p + 124, 1);
	put_both16(p + 128, SECTOR);
	put_both32(p + 132, PATH_TABLE_LEN);
	put_le32(p + 140, paths);
	put_be32(p + 148, paths + 1);
	(void)put_record(p + ROOT_RECORD, root, 1, joliet ? AT_JOLIET_FOLDER : AT_FOLDER, SECTOR,
			 FOLDER);
	put_padded(p + 190, 128, "", joliet);
	put_padded(p + 318, 128, "", joliet);
	put_padded(p + 446, 128, "", joliet);
	put_padded(p + 574, 128, "SOCLE", joliet);
	put_padded(p + 702, 111, "", false);
	/* No times: the same texts are the same CD. */
	for (unsigned i = 0; i < 4; i++)
		memset(p + 813 + 17 * i, '0', 16);
	p[881] = 1;
}

static void put_paths(uint8_t *image, uint32_t at, uint32_t folder)
{
	uint8_t *little = image + (size_t)at * SECTOR, *big = little + SECTOR;

	little[0] = big[0] = 1;
	put_le32(little + 2, folder);
	put_be32(big + 2, folder);
	put_le16(little + 6, 1);
	put_be16(big + 6, 1);
}

static void put_folder(uint8_t *image, uint32_t at, const struct file *files, unsigned count,
		       bool joliet)
{
	static const uint8_t self[1] = { 0 }, parent[1] = { 1 };
	uint8_t *p = image + (size_t)at * SECTOR, name[64];

	p += put_record(p, self, 1, at, SECTOR, FOLDER);
	p += put_record(p, parent, 1, at, SECTOR, FOLDER);
	for (unsigned i = 0; i < count; i++) {
		size_t len = strlen(files[i].capitals);

		if (joliet)
			len = wide(files[i].name, name);
		else
			memcpy(name, files[i].capitals, len);
		p += put_record(p, name, len, files[i].sector, (uint32_t)files[i].len, 0);
	}
}

/* In the order of their names, as a folder has to have them. */
static unsigned list_files(const struct seed *seed, struct file files[FILES_MAX],
			   uint32_t *ret_sectors)
{
	const struct file all[FILES_MAX] = {
		{ "meta-data", "META-DATA;1", seed->meta_data, 0, 0 },
		{ "network-config", "NETWORK-CONFIG;1", seed->network_config, 0, 0 },
		{ "user-data", "USER-DATA;1", seed->user_data, 0, 0 },
		{ "vendor-data", "VENDOR-DATA;1", seed->vendor_data, 0, 0 },
	};
	uint32_t sector = AT_FILES;
	unsigned count = 0;

	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (!all[i].text)
			continue;
		files[count] = all[i];
		files[count].len = strlen(all[i].text);
		files[count].sector = sector;
		sector += (uint32_t)((files[count].len + SECTOR - 1) / SECTOR);
		count++;
	}
	*ret_sectors = sector;
	return count;
}

GByteArray *seed_image(const struct seed *seed)
{
	struct file files[FILES_MAX];
	uint32_t sectors;
	unsigned count = list_files(seed, files, &sectors);
	GByteArray *image = g_byte_array_new();
	uint8_t *p;

	g_byte_array_set_size(image, sectors * SECTOR);
	p = image->data;
	memset(p, 0, image->len);
	put_descriptor(p + AT_DESCRIPTOR * SECTOR, sectors, false);
	put_descriptor(p + AT_JOLIET * SECTOR, sectors, true);
	memcpy(p + AT_LAST * SECTOR, "\377CD001\1", 7);
	put_paths(p, AT_PATHS, AT_FOLDER);
	put_paths(p, AT_JOLIET_PATHS, AT_JOLIET_FOLDER);
	put_folder(p, AT_FOLDER, files, count, false);
	put_folder(p, AT_JOLIET_FOLDER, files, count, true);
	for (unsigned i = 0; i < count; i++)
		memcpy(p + (size_t)files[i].sector * SECTOR, files[i].text, files[i].len);
	return image;
}

/* ---- reading ---- */

/* The text of a file, if all of it is there. */
static char *text_at(const uint8_t *image, size_t len, uint32_t sector, uint32_t size)
{
	if (size > SEED_FILE_MAX || (uint64_t)sector * SECTOR > len ||
	    size > len - (size_t)sector * SECTOR)
		return NULL;
	return g_strndup((const char *)image + (size_t)sector * SECTOR, size);
}

static void take_record(struct seed *seed, const uint8_t *image, size_t len, const uint8_t *record)
{
	const struct {
		const char *capitals;
		char **text;
	} wanted[] = {
		{ "META-DATA", &seed->meta_data },
		{ "NETWORK-CONFIG", &seed->network_config },
		{ "USER-DATA", &seed->user_data },
		{ "VENDOR-DATA", &seed->vendor_data },
	};
	const char *name = (const char *)record + RECORD_LEN;
	size_t name_len = record[32];
	const char *end = memchr(name, ';', name_len);

	name_len = end ? (size_t)(end - name) : name_len;
	for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
		if (strlen(wanted[i].capitals) == name_len &&
		    !g_ascii_strncasecmp(wanted[i].capitals, name, name_len) && !*wanted[i].text)
			*wanted[i].text =
				text_at(image, len, get_le32(record + 2), get_le32(record + 10));
	}
}

struct seed *seed_read(const uint8_t *image, size_t len, GError **error)
{
	const uint8_t *descriptor = image + AT_DESCRIPTOR * SECTOR;
	autoptr(seed) seed = g_new0(struct seed, 1);
	size_t at, end;

	if (len < (AT_DESCRIPTOR + 1) * SECTOR || memcmp(descriptor, "\1CD001", 6) != 0) {
		error_set(error, SOCLE_ERROR_CORRUPT, "it is no CD");
		return NULL;
	}
	at = (size_t)get_le32(descriptor + ROOT_RECORD + 2) * SECTOR;
	end = at > len ? 0 : at + MIN(get_le32(descriptor + ROOT_RECORD + 10), SECTOR);
	/* A record is within its sector, and its name within the record. */
	while (end <= len && at + RECORD_LEN < end && image[at] > RECORD_LEN &&
	       at + image[at] <= end && RECORD_LEN + image[at + 32] <= image[at]) {
		take_record(seed, image, len, image + at);
		at += image[at];
	}
	if (!seed->meta_data || !seed->user_data) {
		error_set(error, SOCLE_ERROR_CORRUPT, "it has no meta-data and user-data");
		return NULL;
	}
	return g_steal_pointer(&seed);
}
