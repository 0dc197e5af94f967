/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-node.c - the node of the driver "test", with the machine that libvirt's has
 */
#include <string.h>

#include "base/cleanup.h"
#include "manage/fake-int.h"
#include "manage/net-int.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"

static const char test_domain[] = "<domain type='test'>\n"
				  "  <name>test</name>\n"
				  "  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>\n"
				  "  <memory>8388608</memory>\n"
				  "  <currentMemory>2097152</currentMemory>\n"
				  "  <vcpu>2</vcpu>\n"
				  "  <os>\n"
				  "    <type arch='i686'>hvm</type>\n"
				  "  </os>\n"
				  "  <devices>\n"
				  "    <disk type='file'>\n"
				  "      <source file='/guest/diskimage1'/>\n"
				  "      <target dev='vda'/>\n"
				  "    </disk>\n"
				  "    <interface type='network'>\n"
				  "      <mac address='aa:bb:cc:dd:ee:ff'/>\n"
				  "      <source network='default'/>\n"
				  "      <target dev='testnet0'/>\n"
				  "    </interface>\n"
				  "    <console type='pty'/>\n"
				  "  </devices>\n"
				  "</domain>\n";

static const char test_network[] = "<network>\n"
				   "  <name>default</name>\n"
				   "  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>\n"
				   "  <forward mode='nat'/>\n"
				   "  <bridge name='virbr0'/>\n"
				   "  <ip address='192.168.122.1' netmask='255.255.255.0'>\n"
				   "    <dhcp>\n"
				   "      <range start='192.168.122.2' end='192.168.122.254'/>\n"
				   "    </dhcp>\n"
				   "  </ip>\n"
				   "</network>\n";
static const char test_pool[] = "<pool type='dir'>\n"
				"  <name>default-pool</name>\n"
				"  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>\n"
				"  <target>\n"
				"    <path>/default-pool</path>\n"
				"  </target>\n"
				"</pool>\n";

/* What they say: there is a node for each connection, and they are read once. */
struct definitions {
	struct domain *domain;
	struct network *network;
	struct storage_pool *pool;
};

static struct definitions *read_definitions(const struct support *support)
{
	struct definitions *defs = g_new(struct definitions, 1);

	*defs = (struct definitions){
		domain_parse(test_domain, strlen(test_domain), DOMAIN_PARSE_STRICT, NULL, NULL),
		network_parse(test_network, strlen(test_network), NETWORK_PARSE_STRICT, NULL, NULL),
		storage_pool_parse(test_pool, strlen(test_pool), STORAGE_PARSE_STRICT, NULL, NULL),
	};
	g_assert(defs->domain && defs->network && defs->pool);
	domain_fill(defs->domain, support);
	network_fill(defs->network, support);
	storage_pool_fill(defs->pool);
	return defs;
}

static const struct definitions *definitions(const struct support *support)
{
	static struct definitions *defs;

	if (g_once_init_enter(&defs))
		g_once_init_leave(&defs, read_definitions(support));
	return defs;
}

static void started(struct call *call, const GError *error)
{
	g_assert(!error);
	call_reply(call, NULL);
}

static void start_run(struct call *call)
{
	vm_start(call, domain_copy(call->vm->dom.config), 0, started);
}

static void start_pool_run(struct call *call)
{
	struct pool *pool = pool_of(call->object);

	pool_start(call, storage_pool_copy(pool->config), 0, started);
}

static void add_pool(struct node *node, const struct storage_pool *def)
{
	struct pool *pool = pool_new(node, storage_pool_copy(def), NULL);

	pool->autostart = true;
	call_job_object(call_new(node), &pool->object, start_pool_run);
}

struct node *node_new_test_at(const struct fake_clock *clock)
{
	struct node_config config = { .uri = "test:///default",
				      .type = "TEST",
				      .machines = &fake_machines,
				      .machines_opaque = (void *)(uintptr_t)clock,
				      .networks = &fake_networks,
				      .pools = &fake_pools,
				      .support = { .test = true,
						   .kvm = true,
						   .networks = true,
						   .bridges = true,
						   .pools = true,
						   .vnc = true } };
	struct node *node = node_new(&config);
	const struct definitions *defs = definitions(&config.support);

	net_default(node, network_copy(defs->network), false);
	call_job(call_new(node), vm_new(node, domain_copy(defs->domain), NULL), start_run);
	add_pool(node, defs->pool);
	return node;
}

struct node *node_new_test(void)
{
	return node_new_test_at(NULL);
}
