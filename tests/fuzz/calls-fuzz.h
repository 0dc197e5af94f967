/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls-fuzz.h - records that become calls, and how one string of them becomes another
 *
 * A record is two bytes that say what, two of a length, and so many of a body. What it says is a procedure's
 * number, and with other bits that it is no call of the program remote but one of qemu, a packet of a stream,
 * a ping, or that a moment passes.
 *
 * Half of the new inputs get records that make sense: a body is made by decoding it. The XDR functions of
 * the arguments' type ask for numbers and bytes, we answer with what may well be there, and what we have
 * answered is the body.
 */
#ifndef CALLS_FUZZ_H
#define CALLS_FUZZ_H

#include <string.h>

#include <glib.h>

#include "rpc/procedure.h"

/* libFuzzer's own; a replay has none, and needs none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum {
	RECORD_NUMBER = 0x1ff,
	RECORD_STATUS = 0x600, /* shifted: of a stream's packet */
	RECORD_STATUS_SHIFT = 9,
	RECORD_MOMENT = 0x1000,
	RECORD_HOLE = 0x2000, /* of a stream; with it, RECORD_STREAM */
	RECORD_STREAM = 0x4000,
	RECORD_QEMU = 0x8000,
	RECORD_KEEPALIVE = 0xc000, /* both: no stream is of that program */
	RECORD_HEAD = 4,
	RECORDS_MAX = 64, /* that are mutated */
};

static const char test_uuid[] = "\x66\x95\xeb\x01\xf6\xa4\x83\x04\x79\xaa\x97\xf2\x50\x2e\x19\x3f";
static const char idle_uuid[] = "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
static const char net_uuid[] = "\xdd\x8f\xe8\x84\x6c\x02\x60\x1e\x75\x51\xcc\xa9\x7d\xf1\xc5\xdf";
static const char pool_uuid[] = "\xdf\xe2\x24\xcb\x28\xfb\x8d\xd0\xc4\xb2\x64\xeb\x3f\x0f\x45\x66";

static const char idle_xml[] =
	"<domain type='test'><name>idle</name><uuid>00112233-4455-6677-8899-"
	"aabbccddeeff</uuid><memory>1024</memory><vcpu>2</vcpu><os><type>hvm"
	"</type></os><devices><disk type='file'><source file='/a.img'/><target "
	"dev='vda'/></disk></devices></domain>";
static const char snapshot_xml[] = "<domainsnapshot><name>s</name></domainsnapshot>";
static const char vol_xml[] = "<volume><name>v</name><capacity>65536</capacity></volume>";
static const char idle_net_xml[] =
	"<network><name>idle</name><uuid>00112233-4455-6677-8899-aabbccddeeff"
	"</uuid><ip address='10.0.0.1' prefix='24'/></network>";
static const char copy_xml[] = "<disk type='file'><source file='/b.img'/></disk>";

struct making {
	XDR xdr;
	GByteArray *body;
	const char *subject; /* the procedure's name */
	uint32_t random;
	uint32_t last;           /* the last number that was given ... */
	bool was_number;         /* ... unless there were bytes since */
	uint32_t pad;            /* bytes that are asked for behind bytes */
	unsigned numbers, texts; /* how many there are before this one */
};

static inline uint32_t calls_random(uint32_t *random, uint32_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random % below;
}

static bool is_about(const struct making *m, const char *what)
{
	return strstr(m->subject, what) != NULL;
}

/* == Bodies == */

static const char *pick_xml(struct making *m)
{
	static const char *const domain[] = {
		idle_xml,
		"<domain "
		"type='test'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain>",
		"<domain "
		"type='test'><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
		"<memory>9</memory><os><type>hvm</type></os></domain>",
	};
	static const char *const device[] = {
		"<disk type='file'><source file='/c.img'/><target dev='vdb'/></disk>",
		"<disk type='file'><source file='/guest/diskimage1'/><target dev='vda'/></disk>",
		"<disk type='file' device='cdrom'><target dev='hda'/></disk>",
		("<interface type='network'><mac address='aa:bb:cc:dd:ee:ff'/>"
		 "<source network='default'/></interface>"),
		"<interface type='user'><link state='down'/></interface>",
		"<controller type='scsi' index='0'/>",
		"<memballoon model='virtio'/>",
		copy_xml,
	};
	static const char *const net[] = {
		idle_net_xml,
		"<network><name>b</name><forward mode='bridge'/><bridge name='br0'/></network>",
		"<host mac='52:54:00:00:00:01' ip='192.168.122.5'/>",
		"<host ip='192.168.122.9'><hostname>a</hostname></host>",
		"<portgroup name='g'/>",
		"<txt name='a' value='b'/>",
		("<networkport><owner><name>test</name>"
		 "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid></owner></networkport>"),
	};
	static const char *const storage[] = {
		vol_xml,
		"<volume><name>w</name><capacity>9</capacity><target><format "
		"type='qcow2'/></target>"
		"</volume>",
		"<pool type='dir'><name>q</name><target><path>/q</path></target></pool>",
		"<pool type='logical'><name>vg</name><source><device "
		"path='/dev/sda'/></source></pool>",
		"<source><host name='h'/><format type='nfs'/></source>",
	};
	static const char *const snapshot[] = {
		snapshot_xml,
		"<domainsnapshot><name>t</name><disks><disk name='vda' snapshot='external'><source "
		"file='/t.img'/></disk></disks></domainsnapshot>",
		"<domainsnapshot/>",
	};

	if (is_about(m, "SNAPSHOT"))
		return snapshot[calls_random(&m->random, G_N_ELEMENTS(snapshot))];
	if (is_about(m, "NETWORK"))
		return net[calls_random(&m->random, G_N_ELEMENTS(net))];
	if (is_about(m, "STORAGE"))
		return storage[calls_random(&m->random, G_N_ELEMENTS(storage))];
	if (is_about(m, "DEVICE") || is_about(m, "COPY"))
		return device[calls_random(&m->random, G_N_ELEMENTS(device))];
	return domain[calls_random(&m->random, G_N_ELEMENTS(domain))];
}

static const char *pick_word(struct making *m)
{
	static const char *const words[] = {
		"",
		"a",
		"test",
		"idle",
		"s",
		"v",
		"w",
		"q",
		"vda",
		"vdb",
		"hda",
		"testnet0",
		"aa:bb:cc:dd:ee:ff",
		"/guest/diskimage1",
		"/c.img",
		"/default-pool",
		"/default-pool/v",
		"console0",
		"serial0",
		"ua-a",
		"test:///default",
		"http://example.org/a",
		"<a/>",
		"x86_64",
		"i686",
		"kvm",
		"pc",
		"0-1",
		"0",
		"SHUTDOWN",
		"{\"execute\":\"query-status\"}",
		"{}",
		"root",
		"/",
		"logical",
		"dir",
		"netfs",
		"disk",
	};
	static const char *const params[] = {
		"cpu_shares",       "vcpu_period",     "vcpu_quota",       "emulator_period",
		"emulator_quota",   "global_period",   "global_quota",     "iothread_period",
		"iothread_quota",   "hard_limit",      "soft_limit",       "swap_hard_limit",
		"min_guarantee",    "weight",          "device_weight",    "device_read_iops_sec",
		"bandwidth",        "granularity",     "buf-size",         "total_bytes_sec",
		"read_bytes_sec",   "write_bytes_sec", "total_iops_sec",   "read_iops_sec",
		"write_iops_sec",   "group_name",      "size_iops_sec",    "inbound.average",
		"inbound.peak",     "inbound.burst",   "outbound.average", "outbound.peak",
		"outbound.burst",   "numa_mode",       "numa_nodeset",     "shm_pages_to_scan",
		"client_info.name",
	};

	if (calls_random(&m->random, 3) == 0)
		return pick_xml(m);
	if (is_about(m, "PARAM") || is_about(m, "TUNE") || is_about(m, "COPY"))
		return params[calls_random(&m->random, G_N_ELEMENTS(params))];
	return words[calls_random(&m->random, G_N_ELEMENTS(words))];
}

/* What most likely is meant by a text at its place, so that handles are of what there is; or NULL. */
static const char *pick_usual(struct making *m)
{
	static const char *const vol[] = { "default-pool", "v", "/default-pool/v" };
	const unsigned text = m->texts++;

	if (calls_random(&m->random, 4) == 0 || is_about(m, "FIND"))
		return NULL;
	if (is_about(m, "CREATE_XML") || is_about(m, "DEFINE_XML"))
		return text == 0 && is_about(m, "STORAGE_VOL") ? vol[0] : pick_xml(m);
	if (is_about(m, "STORAGE_VOL") && text < G_N_ELEMENTS(vol))
		return vol[text];
	if (is_about(m, "STORAGE_POOL") && text == 0)
		return vol[0];
	if (is_about(m, "SNAPSHOT") && text == 0)
		return "s";
	if (is_about(m, "NETWORK") && text == 0)
		return "default";
	if (is_about(m, "BLOCK") && text == 1)
		return calls_random(&m->random, 2) ? "vda" : "/guest/diskimage1";
	if (is_about(m, "INTERFACE") && text == 1)
		return calls_random(&m->random, 2) ? "testnet0" : "aa:bb:cc:dd:ee:ff";
	return NULL;
}

static const char *pick_uuid(struct making *m)
{
	static const char *const all[] = { test_uuid, idle_uuid, net_uuid, pool_uuid };
	const bool usual = calls_random(&m->random, 4) > 0;

	if (usual && is_about(m, "NETWORK"))
		return net_uuid;
	if (usual && is_about(m, "STORAGE"))
		return pool_uuid;
	if (usual && is_about(m, "DOMAIN"))
		return test_uuid;
	return all[calls_random(&m->random, G_N_ELEMENTS(all))];
}

static void put_number(struct making *m, uint32_t number)
{
	uint8_t bytes[4];

	put_be32(bytes, number);
	g_byte_array_append(m->body, bytes, sizeof(bytes));
}

/* The texts of a handle, which have lengths that are not 0. */
static unsigned handle_texts(const struct making *m)
{
	if (g_str_has_prefix(m->subject, "STORAGE_VOL_"))
		return is_about(m, "CREATE_XML") ? 1 : 3;
	return g_str_has_prefix(m->subject, "DOMAIN_") ||
	       g_str_has_prefix(m->subject, "NETWORK_") ||
	       g_str_has_prefix(m->subject, "STORAGE_POOL_");
}

static bool_t give_number(XDR *xdr, long *ret)
{
	static const uint32_t some[] = { 0, 1, 2, 3, 4, 6, 8, 1024, 65536, UINT32_MAX, INT32_MAX };
	struct making *m = xdr->x_private;
	uint32_t n;

	switch (calls_random(&m->random, 8)) {
	case 0:
		n = some[calls_random(&m->random, G_N_ELEMENTS(some))];
		break;
	case 1:
		n = 1u << calls_random(&m->random, 16); /* a flag */
		break;
	case 2:
		n = calls_random(&m->random, 32);
		break;
	default:
		n = calls_random(&m->random, 3);
	}
	if (m->numbers++ < handle_texts(m) && calls_random(&m->random, 8) > 0)
		n = 4;
	put_number(m, n);
	m->last = n;
	m->was_number = true;
	m->pad = 0;
	*ret = (int32_t)n;
	return TRUE;
}

/* A number and so many bytes are a text, and may be another one; sixteen alone are a UUID. */
static bool_t give_bytes(XDR *xdr, char *to, unsigned len)
{
	static const uint8_t zeroes[4];
	struct making *m = xdr->x_private;
	const char *text;
	size_t n = len;

	memset(to, 'a', len);
	if (m->pad == len) {
		m->pad = 0;
		return TRUE;
	}
	if (m->was_number && m->last == len) {
		text = pick_usual(m);
		if (!text)
			text = pick_word(m);
		n = strlen(text);
		put_be32(m->body->data + m->body->len - 4, (uint32_t)n);
	} else {
		text = len == 16 ? pick_uuid(m) : NULL;
	}
	if (text)
		g_byte_array_append(m->body, (const uint8_t *)text, (unsigned)n);
	else
		g_byte_array_append(m->body, (const uint8_t *)to, (unsigned)n);
	g_byte_array_append(m->body, zeroes, -n & 3);
	m->pad = -len & 3;
	m->was_number = false;
	return TRUE;
}

/* Nothing lies there to be pointed at. */
static int32_t *give_no_pointer(XDR *xdr, unsigned len)
{
	(void)xdr;
	(void)len;
	return NULL;
}

/* An empty text asks for no bytes. It would be most of them. */
static bool_t no_control(XDR *xdr, int request, void *info)
{
	(void)xdr;
	(void)request;
	(void)info;
	return FALSE;
}

/* The body of a call of @proc, often one that can be understood. */
static GByteArray *make_body(const struct rpc_procedure *proc, uint32_t *random)
{
	static const struct xdr_ops ops = { .x_getlong = give_number,
					    .x_getbytes = give_bytes,
					    .x_inline = give_no_pointer,
					    .x_control = no_control };
	struct making m = { .xdr = { .x_op = XDR_DECODE },
			    .body = g_byte_array_new(),
			    .subject = proc->name,
			    .random = *random };
	void *args;

	m.xdr.x_ops = (void *)(uintptr_t)&ops;
	m.xdr.x_private = &m;
	for (unsigned tries = 0; proc->args.xdr && tries < 4; tries++) {
		bool ok;

		g_byte_array_set_size(m.body, 0);
		m.pad = m.texts = m.numbers = 0;
		m.was_number = false;
		args = g_malloc0(proc->args.size);
		ok = proc->args.xdr(&m.xdr, args, 0);
		rpc_body_release_xdr(proc->args.xdr, args, proc->args.size);
		g_free(args);
		if (ok)
			break;
	}
	*random = m.random;
	return m.body;
}

/* == Strings of records == */

struct calls {
	uint8_t *data; /* behind the first byte */
	size_t size, max;
	size_t starts[RECORDS_MAX + 1]; /* of records, and the end */
	unsigned count;
	uint32_t random;
};

static void calls_scan(struct calls *c)
{
	size_t at = 0;

	while (c->count < RECORDS_MAX && c->size - at >= RECORD_HEAD) {
		c->starts[c->count++] = at;
		at += RECORD_HEAD + MIN(get_be16(c->data + at + 2), c->size - at - RECORD_HEAD);
	}
	c->starts[c->count] = at;
}

/* The bytes from @from to @to become @len others, if there is room. */
static void calls_replace(struct calls *c, size_t from, size_t to, const void *bytes, size_t len)
{
	if (c->size - (to - from) + len > c->max)
		return;
	memmove(c->data + from + len, c->data + to, c->size - to);
	memcpy(c->data + from, bytes, len);
	c->size = c->size - (to - from) + len;
}

static const struct rpc_procedure *pick_procedure(struct calls *c)
{
	const uint32_t all = (uint32_t)(rpc_procedures_count + rpc_qemu_procedures_count);
	const uint32_t i = calls_random(&c->random, all);

	return i < rpc_procedures_count ? &rpc_procedures[i]
					: &rpc_qemu_procedures[i - rpc_procedures_count];
}

static void put_head(uint8_t *head, unsigned what, size_t len)
{
	put_be16(head, (uint16_t)what);
	put_be16(head + 2, (uint16_t)MIN(len, UINT16_MAX));
}

/* A call comes in from @from on, in place of what is up to @to. */
static void calls_put_call(struct calls *c, size_t from, size_t to)
{
	const struct rpc_procedure *proc = pick_procedure(c);
	GByteArray *body = make_body(proc, &c->random);
	uint8_t head[RECORD_HEAD];

	put_head(head,
		 (unsigned)proc->number | (proc->program == RPC_PROGRAM_QEMU ? RECORD_QEMU : 0u),
		 body->len);
	g_byte_array_prepend(body, head, sizeof(head));
	calls_replace(c, from, to, body->data, body->len);
	g_byte_array_unref(body);
}

/* A packet of a stream that a record before @at may have opened; a ping; a moment. */
static void calls_put_other(struct calls *c, unsigned before)
{
	uint8_t record[RECORD_HEAD + 12] = { 0 };
	const size_t at = c->starts[before];
	unsigned number =
		before ? get_be16(c->data + c->starts[calls_random(&c->random, before)]) : 0;
	size_t len = 0;

	number &= RECORD_NUMBER;
	switch (calls_random(&c->random, 6)) {
	case 0:
		put_head(record, RECORD_KEEPALIVE | calls_random(&c->random, 4), 0);
		break;
	case 1:
		put_head(record, RECORD_MOMENT, 0);
		break;
	case 2:
		len = 12;
		put_head(record, RECORD_STREAM | RECORD_HOLE | 2u << RECORD_STATUS_SHIFT | number,
			 len);
		record[RECORD_HEAD + 6] = (uint8_t)calls_random(&c->random, 256);
		break;
	default:
		len = calls_random(&c->random, 3) * 4;
		put_head(record,
			 RECORD_STREAM | calls_random(&c->random, 4) << RECORD_STATUS_SHIFT |
				 number,
			 len);
	}
	calls_replace(c, at, at, record, RECORD_HEAD + len);
}

/* Bytes of a body become others, and its length theirs. */
static void calls_mutate_body(struct calls *c, unsigned i)
{
	uint8_t body[512];
	const size_t from = c->starts[i] + RECORD_HEAD, to = c->starts[i + 1];
	size_t len = to - from;

	if (len > sizeof(body))
		return;
	memcpy(body, c->data + from, len);
	len = LLVMFuzzerMutate(body, len, sizeof(body));
	if (c->size - (to - from) + len > c->max)
		return;
	put_be16(c->data + from - 2, (uint16_t)len);
	calls_replace(c, from, to, body, len);
}

static void calls_change(struct calls *c)
{
	const unsigned i = calls_random(&c->random, c->count + 1);
	const size_t from = c->starts[i], to = i < c->count ? c->starts[i + 1] : from;
	g_autofree uint8_t *copy = NULL;

	switch (calls_random(&c->random, 10)) {
	case 0:
		calls_replace(c, from, to, "", 0);
		break;
	case 1: /* again, anywhere */
		copy = g_memdup2(c->data + from, to - from);
		if (copy) {
			const size_t at = c->starts[calls_random(&c->random, c->count + 1)];

			calls_replace(c, at, at, copy, to - from);
		}
		break;
	case 2:
		calls_put_other(c, i);
		break;
	case 3:
	case 4:
		if (i < c->count)
			calls_mutate_body(c, i);
		break;
	case 5:
		calls_put_call(c, from, to);
		break;
	default:
		calls_put_call(c, from, from);
	}
}

/* For LLVMFuzzerCustomMutator(). @hows: what the first byte may be; @raw: bits of it with which the rest are no
 * records. */
static inline size_t calls_mutate(const uint8_t *hows, uint32_t how_count, unsigned raw,
				  uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct calls c = { .data = data + 1, .random = seed | 1 };

	if (max_size < 2 || size == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (calls_random(&c.random, 16) == 0)
		data[0] = hows[calls_random(&c.random, how_count)];
	c.size = size - 1;
	c.max = max_size - 1;
	if (data[0] & raw || calls_random(&c.random, 4) == 0)
		return 1 + LLVMFuzzerMutate(data + 1, c.size, c.max);
	calls_scan(&c);
	calls_change(&c);
	return 1 + c.size;
}

#endif
