/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk.c - libsocle talks to a libvirtd about its test driver: all that this has
 *
 * usage: talk URI
 *
 * Prints "ok: WHAT" or "FAILED: WHAT: WHY" for each thing, and exits 1 if one failed.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/socle.h"

static bool failed;
static struct socle_error *error;

static void check(bool ok, const char *what)
{
	if (ok)
		printf("ok: %s\n", what);
	else
		printf("FAILED: %s: %s\n", what, socle_error_message(error));
	failed = failed || !ok;
	socle_error_free(error);
	error = NULL;
}

/* A text that has some words in it. */
static void check_text(char *text, const char *words, const char *what)
{
	if (text && !strstr(text, words))
		printf("FAILED: %s: no '%s' in '%.200s'\n", what, words, text);
	failed = failed || (text && !strstr(text, words));
	check(text != NULL, what);
	free(text);
}

/* A server that says no, by this code. */
static void check_refused(bool refused, int code, const char *what)
{
	if (refused && socle_error_code(error) != code)
		printf("FAILED: %s: code %d (%s), not %d\n", what, socle_error_code(error),
		       socle_error_message(error), code);
	failed = failed || (refused && socle_error_code(error) != code);
	check(refused, what);
}

static void check_params(struct socle_params *params, const char *name, const char *what)
{
	if (params && !socle_params_find(params, name)) {
		printf("FAILED: %s: no '%s' among %zu\n", what, name, socle_params_count(params));
		failed = true;
	}
	check(params != NULL, what);
	socle_params_free(params);
}

static void talk_about_host(struct socle_conn *conn)
{
	struct socle_node_info info;
	struct socle_cpumap map = { NULL, 0, 0 };
	uint64_t n = 0, cells[8];
	char **models = NULL;

	check_text(socle_conn_uri(conn, &error), "test:///default", "URI");
	check_text(socle_conn_type(conn, &error), "TEST", "type");
	check_text(socle_conn_hostname(conn, &error), "", "host name");
	check(socle_conn_version(conn, &n, &error) == 0 && n > 0, "version");
	check(socle_conn_lib_version(conn, &n, &error) == 0 && n >= 9000000, "version of libvirt");
	check(socle_conn_is_secure(conn, &error) == 1, "is secure");
	check_text(socle_conn_capabilities(conn, &error), "<capabilities>", "capabilities");
	check_refused(!socle_conn_domain_capabilities(conn, NULL, NULL, NULL, NULL, 0, &error),
		      SOCLE_ERR_NO_SUPPORT, "capabilities of domains, which it has not");
	check(socle_conn_max_vcpus(conn, NULL, &error) > 0, "most CPUs");
	check(socle_node_info(conn, &info, &error) == 0 && info.cpus == 16 &&
		      !strcmp(info.model, "i686"),
	      "host");
	check_params(socle_node_cpu_stats(conn, SOCLE_ALL_CPUS, 0, &error), "user", "CPU times");
	check(socle_node_cpu_map(conn, 0, &map, &error) == 0 && map.cpus > 0, "map of CPUs");
	socle_cpumap_release(&map);
	check(socle_node_free_memory(conn, &n, &error) == 0 && n > 0, "free memory");
	check(socle_node_cells_free_memory(conn, 0, 8, cells, &error) > 0, "free memory of cells");
	check(socle_conn_cpu_models(conn, "x86_64", 0, &models, &error) > 10, "CPU models");
	socle_strings_free(models);
	check_text(socle_conn_sysinfo(conn, 0, &error), "<sysinfo", "SMBIOS");
}

static void talk_about_finding(struct socle_conn *conn, struct socle_domain *dom)
{
	struct socle_domain **doms = NULL;
	int id = -5;

	check(socle_domain_list(conn, 0, NULL, &error) == 1, "number of domains");
	check(socle_domain_list(conn, SOCLE_LIST_ACTIVE, &doms, &error) == 1 &&
		      !strcmp(socle_domain_name(doms[0]), "test"),
	      "list of domains");
	socle_domains_free(doms);
	check(socle_domain_get_id(dom, &id, &error) == 0 && id == socle_domain_id(dom), "number");
	{
		SOCLE_AUTO(domain) by_id = socle_domain_by_id(conn, id, &error);
		check(by_id != NULL, "by number");
	}
	{
		SOCLE_AUTO(domain)
		by_uuid = socle_domain_by_uuid_text(conn, socle_domain_uuid_text(dom), &error);
		check(by_uuid && socle_domain_id(by_uuid) == id, "by UUID");
	}
	check_refused(!socle_domain_by_name(conn, "nobody", &error), SOCLE_ERR_NO_DOMAIN,
		      "one that is not there");
}

static void talk_about_domain(struct socle_domain *dom)
{
	struct socle_domain_info info;
	int state = -1, reason = -1;

	check_text(socle_domain_xml(dom, 0, &error), "<name>test</name>", "XML");
	check(socle_domain_state(dom, 0, &state, &reason, &error) == 0 &&
		      state == SOCLE_DOMAIN_RUNNING,
	      "state");
	check(socle_domain_info(dom, &info, &error) == 0 && info.vcpus == 2, "information");
	check_text(socle_domain_os_type(dom, &error), "linux", "kind of system");
	check(socle_domain_is_active(dom, &error) == 1, "is active");
	check(socle_domain_is_persistent(dom, &error) == 1, "is persistent");
	check(socle_domain_is_updated(dom, &error) == 0, "is updated");
	check(socle_domain_set_autostart(dom, true, &error) == 0, "autostart");
	check(socle_domain_get_autostart(dom, &error) == 1, "has autostart");
	check(socle_domain_set_metadata(dom, SOCLE_METADATA_TITLE, "A title", NULL, NULL, 0,
					&error) == 0,
	      "title");
	check_text(socle_domain_get_metadata(dom, SOCLE_METADATA_TITLE, NULL, 0, &error), "A title",
		   "has a title");
	check_refused(!socle_domain_get_metadata(dom, SOCLE_METADATA_DESCRIPTION, NULL, 0, &error),
		      SOCLE_ERR_NO_DOMAIN_METADATA, "no description");
	check_text(socle_domain_hostname(dom, 0, &error), "", "host name of the guest");
}

static void talk_about_resources(struct socle_conn *conn, struct socle_domain *dom)
{
	static const unsigned char first[] = { 1 };
	struct socle_memory_stats stats;
	struct socle_domain_stats *all = NULL;
	struct socle_vcpu *vcpus = NULL;
	unsigned char *maps = NULL;
	SOCLE_AUTO(params) limits = socle_params_new();
	uint64_t kib = 0;

	check(socle_domain_max_memory(dom, &kib, &error) == 0 && kib > 0, "most memory");
	check(socle_domain_set_memory(dom, kib / 2, SOCLE_AFFECT_LIVE, &error) == 0, "less memory");
	check(socle_domain_memory_stats(dom, 0, &stats, &error) == 0 && stats.known != 0,
	      "use of memory");
	check(socle_domain_max_vcpus(dom, &error) == 2, "most CPUs of a domain");
	check(socle_domain_vcpus(dom, SOCLE_AFFECT_LIVE, &error) == 2, "CPUs");
	check(socle_domain_set_vcpus(dom, 1, SOCLE_AFFECT_LIVE, &error) == 0 &&
		      socle_domain_vcpus(dom, SOCLE_AFFECT_LIVE, &error) == 1,
	      "fewer CPUs");
	check(socle_domain_set_vcpus(dom, 2, SOCLE_AFFECT_LIVE, &error) == 0, "more CPUs");
	check(socle_domain_pin_vcpu(dom, 1, first, sizeof(first), 0, &error) == 0, "a CPU pinned");
	check(socle_domain_vcpu_info(dom, &vcpus, &maps, 1, &error) == 2 && maps[1] == 1,
	      "each CPU");
	free(vcpus);
	free(maps);
	maps = NULL;
	check(socle_domain_vcpu_pins(dom, 2, 1, SOCLE_AFFECT_LIVE, &maps, &error) == 2 &&
		      maps[1] == 1,
	      "pins of CPUs");
	free(maps);
	check_params(socle_domain_cpu_stats(dom, 0, &error), "cpu_time", "CPU times of a domain");
	check(socle_domain_all_stats(conn, NULL, SOCLE_STATS_STATE | SOCLE_STATS_IOTHREAD, 0, &all,
				     &error) == 1 &&
		      socle_params_find(all[0].params, "state.state"),
	      "statistics of all");
	socle_domain_stats_free(all);
	check_text(socle_domain_scheduler_type(dom, &error), "fair", "scheduler");
	check_params(socle_domain_get_tune(dom, SOCLE_TUNE_SCHEDULER, NULL, 0, &error), "weight",
		     "limits of CPU time");
	check(socle_params_add_text(limits, "hard_limit", SOCLE_PARAM_ULLONG, "1000000", NULL) ==
			      0 &&
		      socle_domain_set_tune(dom, SOCLE_TUNE_MEMORY, NULL, limits, 0, &error) == 0,
	      "limits of memory set");
	check_params(socle_domain_get_tune(dom, SOCLE_TUNE_MEMORY, NULL, 0, &error), "hard_limit",
		     "limits of memory");
	check_params(socle_domain_get_tune(dom, SOCLE_TUNE_NUMA, NULL, 0, &error), "numa_mode",
		     "limits of NUMA");
}

static void talk_about_devices(struct socle_domain *dom)
{
	static const unsigned keys[] = { 28 };
	struct socle_interface *ifaces = NULL;
	struct socle_fsinfo *info = NULL;
	struct socle_disk_error *errors = NULL;
	int64_t seconds = 0;

	check(socle_domain_interface_addresses(dom, SOCLE_ADDRESS_LEASE, 0, &ifaces, &error) >= 0,
	      "addresses");
	socle_interfaces_free(ifaces);
	check(socle_domain_fsinfo(dom, 0, &info, &error) >= 0, "file systems");
	socle_fsinfo_free(info);
	check(socle_domain_disk_errors(dom, 0, &errors, &error) >= 0, "disks that failed");
	socle_disk_errors_free(errors);
	check(socle_domain_send_key(dom, SOCLE_KEYCODE_LINUX, 0, keys, 1, 0, &error) == 0, "a key");
	check(socle_domain_inject_nmi(dom, 0, &error) == 0, "an NMI");
	check(socle_domain_fsfreeze(dom, NULL, 0, &error) >= 0, "file systems frozen");
	check(socle_domain_fsthaw(dom, NULL, 0, &error) >= 0, "and thawed");
	check(socle_domain_get_time(dom, 0, &seconds, NULL, &error) == 0, "the guest's clock");
	check(socle_domain_set_time(dom, 1000, 0, 0, &error) == 0, "set");
	check(socle_domain_set_user_password(dom, "root", "x", 0, &error) == 0, "a password");
	check_refused(!socle_domain_console(dom, NULL, 0, 0, &error), SOCLE_ERR_NO_SUPPORT,
		      "a console, which it has not");
	check(socle_domain_core_dump(dom, "/dev/null", 0, 0, &error) == 0, "memory dumped");
}

static void talk_about_snapshots(struct socle_domain *dom)
{
	static const char one[] = "<domainsnapshot><name>one</name></domainsnapshot>";
	static const char two[] = "<domainsnapshot><name>two</name></domainsnapshot>";
	SOCLE_AUTO(snapshot) first = socle_snapshot_create(dom, one, 0, &error);
	SOCLE_AUTO(snapshot) second = first ? socle_snapshot_create(dom, two, 0, &error) : NULL;
	struct socle_snapshot **snaps = NULL;

	check(second != NULL, "two snapshots");
	if (!second)
		return;
	check(socle_snapshot_list(dom, 0, NULL, &error) == 2, "number of snapshots");
	check(socle_snapshot_list(dom, SOCLE_SNAPSHOT_LIST_ROOTS, &snaps, &error) == 1 &&
		      !strcmp(socle_snapshot_name(snaps[0]), "one"),
	      "roots");
	socle_snapshots_free(snaps);
	snaps = NULL;
	check(socle_snapshot_children(first, 0, &snaps, &error) == 1 &&
		      !strcmp(socle_snapshot_name(snaps[0]), "two"),
	      "children");
	socle_snapshots_free(snaps);
	check(socle_snapshot_has_current(dom, 0, &error) == 1, "there is a current one");
	check(socle_snapshot_is_current(second, 0, &error) == 1 &&
		      socle_snapshot_is_current(first, 0, &error) == 0,
	      "which it is");
	check(socle_snapshot_has_metadata(first, 0, &error) == 1, "what is known of it");
	{
		SOCLE_AUTO(snapshot) current = socle_snapshot_current(dom, 0, &error);
		SOCLE_AUTO(snapshot) parent = socle_snapshot_parent(second, 0, &error);
		SOCLE_AUTO(snapshot) named = socle_snapshot_by_name(dom, "one", 0, &error);

		check(current && parent && named && !strcmp(socle_snapshot_name(current), "two") &&
			      !strcmp(socle_snapshot_name(parent), "one"),
		      "found");
	}
	check_refused(!socle_snapshot_parent(first, 0, &error), SOCLE_ERR_NO_DOMAIN_SNAPSHOT,
		      "no parent");
	check_text(socle_snapshot_xml(first, 0, &error), "<domainsnapshot>", "XML of a snapshot");
	check(socle_snapshot_revert(first, 0, &error) == 0, "reverted");
	check(socle_snapshot_delete(first, SOCLE_SNAPSHOT_DELETE_CHILDREN, &error) == 0,
	      "deleted with its children");
	check(socle_snapshot_list(dom, 0, NULL, &error) == 0, "none are left");
}

/* == Life, and what is told of it == */

static void on_event(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	(void)conn;
	g_string_append_printf(opaque, "%s ",
			       event->id == SOCLE_EVENT_LIFECYCLE
				       ? socle_event_lifecycle_name(event->u.lifecycle.event)
				       : socle_event_name((int)event->id));
}

static const char new_xml[] = "<domain type='test'><name>new</name><memory>65536</memory>"
			      "<os><type>hvm</type></os></domain>";

static void live(struct socle_conn *conn)
{
	SOCLE_AUTO(domain) dom = socle_domain_define(conn, new_xml, SOCLE_DEFINE_VALIDATE, &error);

	check(dom != NULL, "defined");
	if (!dom)
		return;
	check(socle_domain_rename(dom, "newer", 0, &error) == 0, "renamed");
	check(socle_domain_create(dom, 0, &error) == 0, "created");
	check(socle_domain_suspend(dom, &error) == 0, "suspended");
	check(socle_domain_resume(dom, &error) == 0, "resumed");
	check(socle_domain_reboot(dom, 0, &error) == 0, "rebooted");
	check_refused(socle_domain_create(dom, 0, &error) < 0, SOCLE_ERR_INTERNAL, "created twice");
	check(socle_domain_managed_save(dom, 0, &error) == 0, "saved");
	check(socle_domain_has_managed_save(dom, 0, &error) == 1, "has been saved");
	check(socle_domain_managed_save_remove(dom, 0, &error) == 0, "forgotten");
	check(socle_domain_create(dom, 0, &error) == 0, "created again");
	check(socle_domain_shutdown(dom, 0, &error) == 0, "shut down");
	check(socle_domain_undefine(dom, 0, &error) == 0, "undefined");
}

static void talk_about_events(struct socle_conn *conn)
{
	GString *told = g_string_new(NULL);
	int id = socle_event_register(conn, SOCLE_EVENT_LIFECYCLE, NULL, on_event, told, NULL,
				      &error);

	check(id >= 0, "events wanted");
	for (int kind = SOCLE_EVENT_REBOOT; kind < SOCLE_EVENT_DOMAIN_COUNT; kind++) {
		int also = socle_event_register(conn, (enum socle_event_id)kind, NULL, on_event,
						told, NULL, &error);

		check(also >= 0 && socle_event_deregister(conn, also, &error) == 0,
		      socle_event_name(kind));
	}
	live(conn);
	/* The last ones may come behind the answers of their calls. */
	while (!g_str_has_suffix(told->str, " stopped undefined ") &&
	       socle_conn_dispatch(conn, 10000, &error) > 0)
		;
	check(g_str_has_prefix(told->str, "defined undefined defined started suspended resumed ") &&
		      g_str_has_suffix(told->str, " started stopped undefined "),
	      told->str);
	check(socle_event_deregister(conn, id, &error) == 0, "events not wanted any more");
	g_string_free(told, TRUE);
}

static void talk_about_networks(struct socle_conn *conn)
{
	SOCLE_AUTO(network) net = socle_network_by_name(conn, "default", &error);
	struct socle_network **nets = NULL;

	check(net != NULL, "network");
	if (!net)
		return;
	check(socle_network_list(conn, 0, &nets, &error) == 1, "list of networks");
	socle_networks_free(nets);
	check(socle_network_is_active(net, &error) == 1, "network is active");
	check_text(socle_network_bridge(net, &error), "virbr0", "bridge");
	check(socle_network_update(net, SOCLE_NETWORK_ADD_LAST, SOCLE_NETWORK_IP_DHCP_HOST, -1,
				   "<host mac='52:54:00:11:22:33' ip='192.168.122.77'/>",
				   SOCLE_NETWORK_UPDATE_LIVE, &error) == 0,
	      "a host is added");
	check_text(socle_network_xml(net, 0, &error), "192.168.122.77", "XML of the network");
	check(socle_network_destroy(net, &error) == 0, "network stops");
	check(socle_network_create(net, &error) == 0, "network starts");
	check_refused(!socle_network_by_name(conn, "nowhere", &error), SOCLE_ERR_NO_NETWORK,
		      "a network that is not there");
}

static void talk_about_pools(struct socle_conn *conn)
{
	SOCLE_AUTO(pool) pool = socle_pool_by_name(conn, "default-pool", &error);
	SOCLE_AUTO(volume) vol = NULL;
	SOCLE_AUTO(volume) copy = NULL;
	SOCLE_AUTO(pool) back = NULL;
	struct socle_pool_info info;

	check(pool != NULL, "pool");
	if (!pool)
		return;
	check(socle_pool_info(pool, &info, &error) == 0 && info.state == SOCLE_POOL_RUNNING,
	      "pool runs");
	check(socle_pool_refresh(pool, 0, &error) == 0, "pool is refreshed");
	check_text(socle_pool_find_sources(conn, "logical", NULL, 0, &error), "testvg1", "sources");
	vol = socle_volume_create(pool, "<volume><name>v</name><capacity>4096</capacity></volume>",
				  0, &error);
	check(vol != NULL, "volume is made");
	copy = vol ? socle_volume_create_from(
			     pool, "<volume><name>w</name><capacity>4096</capacity></volume>", vol,
			     0, &error)
		   : NULL;
	check(copy != NULL, "volume is copied");
	if (!copy)
		return;
	check_text(socle_volume_path(copy, &error), "/w", "path of a volume");
	back = socle_volume_pool(copy, &error);
	check(back && !strcmp(socle_pool_name(back), "default-pool"), "pool of a volume");
	check(socle_volume_list(pool, 0, NULL, &error) == 2, "number of volumes");
	check(socle_volume_delete(copy, 0, &error) == 0, "volume is deleted");
	check_refused(!socle_volume_by_name(pool, "w", &error), SOCLE_ERR_NO_STORAGE_VOL,
		      "a volume that is not there");
}

static void talk_about_secrets(struct socle_conn *conn)
{
	check_refused(socle_secret_list(conn, 0, NULL, &error) < 0, SOCLE_ERR_NO_SUPPORT,
		      "secrets, which it has not");
	check_refused(!socle_secret_by_usage(conn, SOCLE_SECRET_USAGE_CEPH, "x", &error),
		      SOCLE_ERR_NO_SUPPORT, "one of them");
}

int main(int argc, char **argv)
{
	struct socle_conn *conn = socle_conn_open(argc > 1 ? argv[1] : NULL, 0, &error);
	struct socle_domain *dom;

	check(conn != NULL, "connected");
	if (!conn)
		return 1;
	socle_conn_set_timeout(conn, 20000);
	dom = socle_domain_by_name(conn, "test", &error);
	check(dom != NULL, "by name");
	if (!dom)
		return 1;
	talk_about_host(conn);
	talk_about_finding(conn, dom);
	talk_about_domain(dom);
	talk_about_resources(conn, dom);
	talk_about_devices(dom);
	talk_about_snapshots(dom);
	talk_about_networks(conn);
	talk_about_pools(conn);
	talk_about_secrets(conn);
	talk_about_events(conn);
	socle_domain_unref(dom);
	socle_conn_unref(conn);
	return failed;
}
