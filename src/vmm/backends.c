/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backends.c - what devices have on the host: images by node name, networks by id, streams by label
 */
#include "vmm/backends.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/block.h"
#include "block/crypt/secret.h"
#include "block/image.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"
#include "dev/chardev.h"
#include "net/net.h"
#include "vmm/chars.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

static void node_free(void *opaque)
{
	struct vmm_node *node = opaque;

	block_close(node->block);
	g_free(node->name);
	g_free(node->user);
	g_free(node);
}

static void netdev_free(void *opaque)
{
	struct vmm_netdev *netdev = opaque;

	net_free(netdev->net);
	g_free(netdev->id);
	g_free(netdev->user);
	g_free(netdev);
}

static void char_free(void *opaque)
{
	struct vmm_char *chr = opaque;

	chardev_free(chr->chr);
	g_free(chr->label);
	g_free(chr->name);
	g_free(chr);
}

void backends_init(struct vmm *vmm)
{
	vmm->nodes = g_ptr_array_new_with_free_func(node_free);
	vmm->netdevs = g_ptr_array_new_with_free_func(netdev_free);
	vmm->chars = g_ptr_array_new_with_free_func(char_free);
}

void backends_release(struct vmm *vmm)
{
	g_ptr_array_unref(vmm->netdevs);
	g_ptr_array_unref(vmm->nodes);
}

struct vmm_node *node_lookup(struct vmm *vmm, const char *name)
{
	for (unsigned i = 0; i < vmm->nodes->len; i++) {
		struct vmm_node *node = g_ptr_array_index(vmm->nodes, i);

		if (!g_strcmp0(node->name, name))
			return node;
	}
	return NULL;
}

static struct vmm_netdev *netdev_lookup(struct vmm *vmm, const char *id)
{
	for (unsigned i = 0; i < vmm->netdevs->len; i++) {
		struct vmm_netdev *netdev = g_ptr_array_index(vmm->netdevs, i);

		if (!g_strcmp0(netdev->id, id))
			return netdev;
	}
	return NULL;
}

/* The first of "node0", "node1" ... that is free. */
static char *free_node_name(struct vmm *vmm)
{
	for (unsigned n = 0;; n++) {
		g_autofree char *name = g_strdup_printf("node%u", n);

		if (!node_lookup(vmm, name))
			return g_steal_pointer(&name);
	}
}

static char *free_netdev_id(struct vmm *vmm)
{
	for (unsigned n = 0;; n++) {
		g_autofree char *id = g_strdup_printf("hostnet%u", n);

		if (!netdev_lookup(vmm, id))
			return g_steal_pointer(&id);
	}
}

/* Is it raw if nobody says so, and not what a guest made look like something else? */
static bool refuse_guess(const char *path, GError **error)
{
	autoptr(block_file) file = block_file_open(path, BLOCK_FILE_NO_LOCK, NULL);
	/* What cannot be read is told by block_open(). */
	const struct image_ops *ops = file ? image_probe(path, file, NULL) : &image_raw_ops;

	if (!ops || ops == &image_raw_ops)
		return true;
	if (block_format_is_known(ops->format))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' begins like one of format %s; say format=%s, or "
				 "format=raw if its guest is to see that",
				 path, ops->format, ops->format);
	return error_set(error, SOCLE_ERROR_USAGE,
			 "image '%s' begins like one of format %s, which a machine cannot use; "
			 "convert it with `socle-img convert -O qcow2`, or say format=raw if its "
			 "guest is to see that",
			 path, ops->format);
}

static bool find_secrets(struct vmm *vmm, const struct node_spec *spec,
			 const struct secret *secrets[NODE_MAX_SECRETS], struct block_open *open,
			 GError **error)
{
	open->secrets = secrets;
	for (unsigned i = 0; i < NODE_MAX_SECRETS; i++) {
		const char *id = spec->secret_ids[i];

		secrets[i] = id ? secret_find(vmm->options->secrets, id, error) : NULL;
		if (id && !secrets[i])
			return false;
		if (id)
			open->secret_count = i + 1;
	}
	return true;
}

static bool find_login(struct vmm *vmm, const struct node_spec *spec, struct remote_login *login,
		       struct block_open *open, GError **error)
{
	*login = (struct remote_login){ .user = spec->user, .initiator = spec->initiator };
	open->login = login;
	if (!spec->password_id)
		return true;
	login->password = secret_find(vmm->options->secrets, spec->password_id, error);
	return login->password != NULL;
}

struct vmm_node *node_add(struct vmm *vmm, const struct node_spec *spec, bool implicit,
			  GError **error)
{
	const struct secret *secrets[NODE_MAX_SECRETS];
	struct block_open open = spec->open;
	struct remote_login login;
	g_autofree char *name = open.node_name ? g_strdup(open.node_name) : free_node_name(vmm);
	struct vmm_node *node;
	struct block *block;

	if (node_lookup(vmm, name)) {
		error_set(error, SOCLE_ERROR_EXISTS, "Duplicate nodes with node-name='%s'", name);
		return NULL;
	}
	if (!spec->format_given && open.path && !remote_url_is(open.path) &&
	    !refuse_guess(open.path, error))
		return NULL;
	open.node_name = name;
	if (!find_secrets(vmm, spec, secrets, &open, error) ||
	    !find_login(vmm, spec, &login, &open, error))
		return NULL;
	block = block_open(&open, error);
	if (!block)
		return NULL;
	node = node_new(vmm, g_steal_pointer(&name), implicit);
	node->block = block;
	node->spec = *spec;
	node->spec.open.path = node->spec.open.format = node->spec.open.node_name = NULL;
	node->spec.open.secrets = NULL;
	node->spec.open.login = NULL;
	node->spec.user = node->spec.initiator = node->spec.password_id = NULL;
	node_name_chain(vmm, node);
	return node;
}

struct vmm_node *node_new(struct vmm *vmm, char *name, bool implicit)
{
	struct vmm_node *node = g_new0(struct vmm_node, 1);

	node->name = name;
	node->implicit = implicit;
	g_ptr_array_add(vmm->nodes, node);
	return node;
}

struct vmm_node *node_find(struct vmm *vmm, const char *name, GError **error)
{
	struct vmm_node *node = node_lookup(vmm, name);

	if (!node)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "Cannot find device='' nor node-name='%s'",
			  name);
	return node;
}

bool node_remove(struct vmm *vmm, const char *name, GError **error)
{
	struct vmm_node *node = node_lookup(vmm, name);

	if (!node)
		return error_set(error, SOCLE_ERROR_FAILED,
				 "Failed to find node with node-name='%s'", name);
	if (node->user)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node %s is in use by device '%s'; device_del it first", name,
				 node->user);
	if (node->front)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node %s is in use: it stands behind '%s'", name,
				 node->front->name);
	if (!node_is_free(node, error))
		return false;
	node_drop(vmm, node);
	return true;
}

void node_drop(struct vmm *vmm, struct vmm_node *node)
{
	for (unsigned i = vmm->nodes->len; i-- > 0;) {
		struct vmm_node *other = g_ptr_array_index(vmm->nodes, i);

		if (other->front == node)
			g_ptr_array_remove_index(vmm->nodes, i);
	}
	g_ptr_array_remove(vmm->nodes, node);
}

/* What is at the other end of a descriptor that was handed over? */
static struct net_backend *open_fd(const struct netdev_spec *spec, GError **error)
{
	int fd = spec->fds[0], type = 0;
	struct ifreq ifr = { 0 };

	if (sys_ioctl(fd, TUNGETIFF, &ifr) == 0)
		return net_tap_new(
			&(struct net_tap_config){ .fds = spec->fds, .fd_count = 1, .queues = 1 },
			error);
	if (sys_socket_type(fd, &type) == 0 && type == SOCK_STREAM)
		return net_stream_new(
			&(struct net_stream_config){ .role = NET_SOCKET_FD, .fd = fd }, error);
	if (type == SOCK_DGRAM)
		return net_dgram_new(&(struct net_dgram_config){ .fd = fd }, error);
	error_set(error, SOCLE_ERROR_USAGE,
		  "descriptor %d is neither a tap device nor a socket; open one and hand it over",
		  fd);
	return NULL;
}

static struct net_backend *open_net(const struct netdev_spec *spec, GError **error)
{
	switch (spec->kind) {
	case NETDEV_USER:
		return net_user_new(&spec->user, error);
	case NETDEV_TAP:
		return net_tap_new(&spec->tap, error);
	case NETDEV_STREAM:
		return net_stream_new(&spec->stream, error);
	case NETDEV_DGRAM:
		return net_dgram_new(&spec->dgram, error);
	case NETDEV_FD:
		return open_fd(spec, error);
	case NETDEV_NONE:
		break;
	}
	return NULL;
}

struct vmm_netdev *netdev_add(struct vmm *vmm, const struct netdev_spec *spec, bool implicit,
			      GError **error)
{
	g_autofree char *id = spec->id ? g_strdup(spec->id) : free_netdev_id(vmm);
	autoptr(net_backend) net = NULL;
	struct vmm_netdev *netdev;

	if (netdev_lookup(vmm, id)) {
		error_set(error, SOCLE_ERROR_EXISTS, "Duplicate ID '%s' for netdev", id);
		return NULL;
	}
	if (spec->kind != NETDEV_NONE) {
		net = open_net(spec, error);
		if (!net)
			return NULL;
	}
	if (net && spec->dump) {
		net = net_dump_new(g_steal_pointer(&net), spec->dump, spec->dump_len, error);
		if (!net)
			return NULL;
	}
	netdev = g_new0(struct vmm_netdev, 1);
	netdev->id = g_steal_pointer(&id);
	netdev->net = g_steal_pointer(&net);
	netdev->is_user = spec->kind == NETDEV_USER && !spec->dump;
	netdev->implicit = implicit;
	g_ptr_array_add(vmm->netdevs, netdev);
	return netdev;
}

struct vmm_netdev *netdev_find(struct vmm *vmm, const char *id, GError **error)
{
	struct vmm_netdev *netdev = netdev_lookup(vmm, id);

	if (!netdev)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' not found", id);
	return netdev;
}

bool netdev_remove(struct vmm *vmm, const char *id, GError **error)
{
	struct vmm_netdev *netdev = netdev_find(vmm, id, error);

	if (!netdev)
		return false;
	if (netdev->user)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "network '%s' is in use by device '%s'; device_del it first", id,
				 netdev->user);
	g_ptr_array_remove(vmm->netdevs, netdev);
	return true;
}

static struct vmm_node *node_of_user(struct vmm *vmm, const char *id)
{
	for (unsigned i = 0; i < vmm->nodes->len; i++) {
		struct vmm_node *node = g_ptr_array_index(vmm->nodes, i);

		if (!g_strcmp0(node->user, id))
			return node;
	}
	return NULL;
}

void node_unused(struct vmm *vmm, struct vmm_node *node)
{
	g_clear_pointer(&node->user, g_free);
	if (!node->implicit)
		return;
	job_node_gone(node);
	node_drop(vmm, node);
}

void backends_unused(struct vmm *vmm, const char *id)
{
	struct vmm_node *node = node_of_user(vmm, id);

	if (node)
		node_unused(vmm, node);
	for (unsigned i = vmm->netdevs->len; i-- > 0;) {
		struct vmm_netdev *netdev = g_ptr_array_index(vmm->netdevs, i);

		if (g_strcmp0(netdev->user, id))
			continue;
		g_clear_pointer(&netdev->user, g_free);
		if (netdev->implicit)
			g_ptr_array_remove_index(vmm->netdevs, i);
	}
}

struct vmm_char *char_find(struct vmm *vmm, const char *label)
{
	for (unsigned i = 0; i < vmm->chars->len; i++) {
		struct vmm_char *chr = g_ptr_array_index(vmm->chars, i);

		if (!g_strcmp0(chr->label, label))
			return chr;
	}
	return NULL;
}

struct vmm_char *char_add(struct vmm *vmm, const char *label, const struct char_spec *spec,
			  const struct console_ops *ops, GError **error)
{
	struct vmm_char *chr;
	struct chardev *backend;
	g_autofree char *name = NULL;

	backend = char_open(spec, ops, vmm, &name, error);
	if (!backend)
		return NULL;
	chr = g_new0(struct vmm_char, 1);
	chr->label = g_strdup(label);
	chr->name = g_steal_pointer(&name);
	chr->chr = backend;
	g_ptr_array_add(vmm->chars, chr);
	return chr;
}
