/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-procedure.c - the table of procedures, who may call what, what headers ask for
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "rpc/procedure.h"

static void test_table(void)
{
	unsigned events = 0;

	g_assert_cmpuint(rpc_procedures_count, ==, 387);
	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];

		g_assert_true(rpc_procedure_find(proc->number) == proc);
		g_assert_cmpint(proc->number, >, i > 0 ? rpc_procedures[i - 1].number : 0);
		g_assert_cmpint(proc->number, <=, 446);
		g_assert_true(!proc->args.xdr == !proc->args.size);
		g_assert_true(!proc->ret.xdr == !proc->ret.size);
		if (proc->access == RPC_ACCESS_EVENT) {
			g_assert_nonnull(proc->args.xdr);
			g_assert_null(proc->ret.xdr);
			g_assert_nonnull(strstr(proc->name, "EVENT"));
			events++;
		}
	}
	g_assert_cmpuint(events, ==, 36);
	for (int number = -2; number <= 500; number++) {
		const struct rpc_procedure *proc = rpc_procedure_find(number);

		g_assert_true(!proc || proc->number == number);
	}
	g_assert_null(rpc_procedure_find(INT_MIN));
	g_assert_null(rpc_procedure_find(0));
	g_assert_null(rpc_procedure_find(61));
	g_assert_null(rpc_procedure_find(447));
}

static void test_qemu(void)
{
	g_assert_cmpuint(rpc_qemu_procedures_count, ==, 5);
	for (size_t i = 0; i < rpc_qemu_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_qemu_procedures[i];

		g_assert_true(rpc_qemu_procedure_find(proc->number) == proc);
		g_assert_cmpuint(proc->program, ==, RPC_PROGRAM_QEMU);
		g_assert_true(proc->access == RPC_ACCESS_WRITE || proc->number == 6);
	}
	g_assert_null(rpc_qemu_procedure_find(2));
	g_assert_null(rpc_qemu_procedure_find(66));
}

static void test_some(void)
{
	static const struct {
		int number;
		const char *name, *args, *ret;
		enum rpc_access access;
		bool stream, fds;
	} some[] = {
		{ 1, "CONNECT_OPEN", "rpc_connect_open_args", NULL, RPC_ACCESS_READ, 0, 0 },
		{ 2, "CONNECT_CLOSE", NULL, NULL, RPC_ACCESS_READ, 0, 0 },
		{ 9, "DOMAIN_CREATE", "rpc_domain_create_args", NULL, RPC_ACCESS_WRITE, 0, 0 },
		{ 16, "DOMAIN_GET_INFO", "rpc_domain_get_info_args", "rpc_domain_get_info_ret",
		  RPC_ACCESS_READ, 0, 0 },
		{ 66, "AUTH_LIST", NULL, "rpc_auth_list_ret", RPC_ACCESS_NONE, 0, 0 },
		{ 201, "DOMAIN_OPEN_CONSOLE", "rpc_domain_open_console_args", NULL,
		  RPC_ACCESS_WRITE, 1, 0 },
		{ 318, "DOMAIN_EVENT_CALLBACK_LIFECYCLE", "rpc_domain_event_callback_lifecycle_msg",
		  NULL, RPC_ACCESS_EVENT, 0, 0 },
		{ 443, "DOMAIN_FD_ASSOCIATE", "rpc_domain_fd_associate_args", NULL,
		  RPC_ACCESS_WRITE, 0, 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(some); i++) {
		const struct rpc_procedure *proc = rpc_procedure_find(some[i].number);

		g_assert_nonnull(proc);
		g_assert_cmpstr(proc->name, ==, some[i].name);
		g_assert_cmpstr(proc->args.type, ==, some[i].args);
		g_assert_cmpstr(proc->ret.type, ==, some[i].ret);
		g_assert_cmpint(proc->access, ==, some[i].access);
		g_assert_true(proc->stream == some[i].stream);
		g_assert_true(proc->fds == some[i].fds);
	}
}

/* A procedure whose name says that it changes something is not for readers. */
static void test_names_and_access(void)
{
	static const char *const words[] = {
		"_CREATE",   "_DEFINE_",      "_UNDEFINE",      "_DESTROY",       "_SET_",
		"_ATTACH",   "_DETACH",       "_DETTACH",       "_SUSPEND",       "_RESUME",
		"_REBOOT",   "_RESET",        "_RESTORE",       "_SHUTDOWN",      "_DELETE",
		"_RENAME",   "_REMOVE",       "_RESIZE",        "_WIPE",          "_UPLOAD",
		"_DOWNLOAD", "_OPEN_",        "_ABORT",         "_PIN_VCPU",      "_SEND_",
		"_INJECT",   "_REVERT",       "_UPDATE_DEVICE", "NETWORK_UPDATE", "_REFRESH",
		"_BUILD",    "_PEEK",         "_PULL",          "_COMMIT",        "_REBASE",
		"_COPY",     "_ADD_IOTHREAD", "_PREPARE",       "_PERFORM",       "_FINISH",
		"_CONFIRM",  "SCREENSHOT"
	};
	/* Says who asks for the client. */
	static const char *const exceptions[] = { "CONNECT_SET_IDENTITY" };

	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];
		bool changes = false;

		for (size_t k = 0; k < G_N_ELEMENTS(words); k++)
			changes = changes || strstr(proc->name, words[k]);
		for (size_t k = 0; k < G_N_ELEMENTS(exceptions); k++)
			changes = changes && strcmp(proc->name, exceptions[k]) != 0;
		if (changes && proc->access != RPC_ACCESS_EVENT && proc->access != RPC_ACCESS_WRITE)
			g_error("%s is for readers", proc->name);
		if (g_str_has_prefix(proc->name, "AUTH_") != (proc->access == RPC_ACCESS_NONE))
			g_error("%s is for anybody", proc->name);
	}
}

static void test_access(void)
{
	static const enum rpc_access all[] = { RPC_ACCESS_NONE, RPC_ACCESS_READ, RPC_ACCESS_WRITE };
	rpc_domain_get_xml_desc_args xml = { .flags = 0 };
	rpc_domain_interface_addresses_args addresses = { .source = 0 };
	const struct rpc_procedure *get_xml = rpc_procedure_find(RPC_PROC_DOMAIN_GET_XML_DESC);
	const struct rpc_procedure *get_addresses =
		rpc_procedure_find(RPC_PROC_DOMAIN_INTERFACE_ADDRESSES);

	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];
		g_autofree void *args = g_malloc0(MAX(proc->args.size, 1));

		for (size_t k = 0; k < G_N_ELEMENTS(all); k++) {
			bool want = proc->access != RPC_ACCESS_EVENT && proc->access <= all[k];

			g_assert_true(rpc_procedure_may_be_called(proc, args, all[k]) == want);
		}
	}
	/* Secrets (1) and what migration needs (8) are not for readers. */
	for (unsigned flags = 0; flags < 32; flags++) {
		xml.flags = flags;
		g_assert_true(rpc_procedure_may_be_called(get_xml, &xml, RPC_ACCESS_WRITE));
		g_assert_true(rpc_procedure_may_be_called(get_xml, &xml, RPC_ACCESS_READ) ==
			      !(flags & 9));
	}
	/* Leases (0) and ARP (2) cost nobody anything; the agent (1) is asked to work. */
	for (unsigned source = 0; source < 3; source++) {
		addresses.source = source;
		g_assert_true(rpc_procedure_may_be_called(get_addresses, &addresses,
							  RPC_ACCESS_READ) == (source != 1));
	}
}

enum {
	S = RPC_PROGRAM_REMOTE,
	Q = RPC_PROGRAM_QEMU,
	K = RPC_PROGRAM_KEEPALIVE
};

struct sort_case {
	struct rpc_header header;
	enum rpc_sort sort;
	const char *error;
};

static void check_sort(const struct sort_case *cases, size_t count,
		       enum rpc_sort (*sort)(const struct rpc_header *,
					     const struct rpc_procedure **, GError **))
{
	for (size_t i = 0; i < count; i++) {
		const struct rpc_procedure *proc = NULL;
		g_autoptr(GError) error = NULL;
		enum rpc_sort got = sort(&cases[i].header, &proc, &error);

		g_assert_cmpint(got, ==, cases[i].sort);
		g_assert_cmpstr(error ? error->message : NULL, ==, cases[i].error);
		g_assert_true((got == RPC_SORT_CALL || got == RPC_SORT_REPLY ||
			       got == RPC_SORT_EVENT) == (proc != NULL));
		g_assert_true(!proc || proc->number == cases[i].header.procedure);
	}
}

static void test_sort_for_server(void)
{
	static const struct sort_case cases[] = {
		{ { S, 1, 1, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_CALL, NULL },
		{ { S, 1, 443, RPC_TYPE_CALL_WITH_FDS, 0, 0 }, RPC_SORT_CALL, NULL },
		{ { S, 1, 201, RPC_TYPE_STREAM, 0, 2 }, RPC_SORT_STREAM, NULL },
		{ { S, 1, 208, RPC_TYPE_STREAM_HOLE, 0, 2 }, RPC_SORT_STREAM, NULL },
		{ { K, 1, 1, RPC_TYPE_MESSAGE, 0, 0 }, RPC_SORT_PING, NULL },
		{ { K, 1, 2, RPC_TYPE_MESSAGE, 0, 0 }, RPC_SORT_PONG, NULL },
		{ { K, 1, 3, RPC_TYPE_MESSAGE, 0, 0 },
		  RPC_SORT_DROP,
		  "a keepalive that is neither ping nor pong" },
		{ { K, 2, 1, RPC_TYPE_MESSAGE, 0, 0 },
		  RPC_SORT_DROP,
		  "a keepalive that is neither ping nor pong" },
		{ { K, 1, 1, RPC_TYPE_CALL, 0, 0 },
		  RPC_SORT_DROP,
		  "a keepalive that is neither ping nor pong" },
		{ { Q, 1, 1, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_CALL, NULL },
		{ { Q, 1, 2, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 2" },
		{ { Q, 1, 6, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 6" },
		{ { Q, 1, 443, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 443" },
		{ { Q, 1, 1, RPC_TYPE_STREAM, 0, 0 },
		  RPC_SORT_DROP,
		  "a client sends calls and streams, not type 3" },
		{ { 0x20008088, 1, 1, RPC_TYPE_CALL, 0, 0 },
		  RPC_SORT_REFUSE,
		  "Cannot find program 536903816 version 1" },
		{ { S, 2, 1, RPC_TYPE_CALL, 0, 0 },
		  RPC_SORT_REFUSE,
		  "Cannot find program 536903814 version 2" },
		{ { S, 2, 1, RPC_TYPE_STREAM, 0, 0 },
		  RPC_SORT_DROP,
		  "Cannot find program 536903814 version 2" },
		{ { S, 1, 61, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 61" },
		{ { S, 1, -1, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: -1" },
		{ { S, 1, 999, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 999" },
		{ { S, 1, 318, RPC_TYPE_CALL, 0, 0 }, RPC_SORT_REFUSE, "unknown procedure: 318" },
		{ { S, 1, 1, RPC_TYPE_CALL, 0, 1 }, RPC_SORT_REFUSE, "a call has status 0, not 1" },
		{ { S, 1, 1, RPC_TYPE_REPLY, 0, 0 },
		  RPC_SORT_DROP,
		  "a client sends calls and streams, not type 1" },
		{ { S, 1, 1, RPC_TYPE_MESSAGE, 0, 0 },
		  RPC_SORT_DROP,
		  "a client sends calls and streams, not type 2" },
		{ { S, 1, 1, 77, 0, 0 },
		  RPC_SORT_DROP,
		  "a client sends calls and streams, not type 77" },
	};

	check_sort(cases, G_N_ELEMENTS(cases), rpc_sort_for_server);
}

static void test_sort_for_client(void)
{
	static const struct sort_case cases[] = {
		{ { Q, 1, 6, RPC_TYPE_MESSAGE, 0, 0 },
		  RPC_SORT_DROP,
		  "Cannot find program 536903815 version 1" },
		{ { S, 1, 1, RPC_TYPE_REPLY, 0, 0 }, RPC_SORT_REPLY, NULL },
		{ { S, 1, 1, RPC_TYPE_REPLY, 0, 1 }, RPC_SORT_REPLY, NULL },
		{ { S, 1, 343, RPC_TYPE_REPLY_WITH_FDS, 0, 0 }, RPC_SORT_REPLY, NULL },
		{ { S, 1, 318, RPC_TYPE_MESSAGE, 1, 0 }, RPC_SORT_EVENT, NULL },
		{ { S, 1, 201, RPC_TYPE_STREAM, 0, 2 }, RPC_SORT_STREAM, NULL },
		{ { K, 1, 1, RPC_TYPE_MESSAGE, 0, 0 }, RPC_SORT_PING, NULL },
		{ { S, 1, 1, RPC_TYPE_MESSAGE, 0, 0 }, RPC_SORT_DROP, "event 1 is not known" },
		{ { S, 1, 453, RPC_TYPE_MESSAGE, 0, 0 }, RPC_SORT_DROP, "event 453 is not known" },
		{ { S, 1, 318, RPC_TYPE_REPLY, 0, 0 },
		  RPC_SORT_DROP,
		  "answer to procedure 318 is not known" },
		{ { S, 3, 1, RPC_TYPE_REPLY, 0, 0 },
		  RPC_SORT_DROP,
		  "Cannot find program 536903814 version 3" },
		{ { S, 1, 1, RPC_TYPE_CALL, 0, 0 },
		  RPC_SORT_DROP,
		  "a server sends answers, events and streams, not type 0" },
	};

	check_sort(cases, G_N_ELEMENTS(cases), rpc_sort_for_client);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rpc/procedure/table", test_table);
	g_test_add_func("/rpc/procedure/qemu", test_qemu);
	g_test_add_func("/rpc/procedure/some", test_some);
	g_test_add_func("/rpc/procedure/names-and-access", test_names_and_access);
	g_test_add_func("/rpc/procedure/access", test_access);
	g_test_add_func("/rpc/procedure/sort-for-server", test_sort_for_server);
	g_test_add_func("/rpc/procedure/sort-for-client", test_sort_for_client);
	return g_test_run();
}
