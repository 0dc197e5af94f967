/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret-call.c - the procedures of secrets
 *
 * A client is told that a definition or a value is there when it is kept. If it cannot be kept all is as before.
 */
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "manage/event-kind-int.h"
#include "manage/handler-int.h"
#include "manage/secret-int.h"

enum {
	/* libvirt's filter: within a group any will do, and each group counts. */
	LIST_EPHEMERAL = 1 << 0,
	LIST_NO_EPHEMERAL = 1 << 1,
	LIST_PRIVATE = 1 << 2,
	LIST_NO_PRIVATE = 1 << 3,
	LIST_FLAGS = 0xf,

	DEFINE_VALIDATE = 1 << 0,

	SECRET_LIFECYCLE = 0,
	SECRET_VALUE_CHANGED = 1,
	SECRET_EVENT_COUNT = 2,

	SECRET_DEFINED = 0,
	SECRET_UNDEFINED = 1,
};

static const struct event_kind secret_events = { "secret", RPC_FROM_SECRET, 1200,
						 SECRET_EVENT_COUNT };

static void tell_lifecycle(struct secret_entry *secret, int event)
{
	rpc_secret_event_lifecycle_msg body = { .secret = secret_handle(secret), .event = event };

	event_kind_emit(secret->node, &secret_events, SECRET_LIFECYCLE, secret->uuid,
			RPC_PROC_SECRET_EVENT_LIFECYCLE, &body);
}

static void tell_value(struct secret_entry *secret)
{
	rpc_secret_event_value_changed_msg body = { .secret = secret_handle(secret) };

	event_kind_emit(secret->node, &secret_events, SECRET_VALUE_CHANGED, secret->uuid,
			RPC_PROC_SECRET_EVENT_VALUE_CHANGED, &body);
}

static bool check_flags(struct call *call, unsigned flags, unsigned known)
{
	if (!(flags & ~known))
		return true;
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_SECRET,
		  "unsupported flags (0x%x) for this operation", flags & ~known);
	return false;
}

/* == Lists == */

static bool is_wanted(const struct secret_entry *secret, unsigned flags)
{
	const struct secret_def *def = secret->def;

	return list_in_group(flags, LIST_EPHEMERAL | LIST_NO_EPHEMERAL,
			     def->ephemeral == TRI_YES ? LIST_EPHEMERAL : LIST_NO_EPHEMERAL) &&
	       list_in_group(flags, LIST_PRIVATE | LIST_NO_PRIVATE,
			     def->private == TRI_YES ? LIST_PRIVATE : LIST_NO_PRIVATE);
}

static void on_list_all(struct call *call, const rpc_connect_list_all_secrets_args *args)
{
	const GPtrArray *secrets = call->node->secrets;
	rpc_connect_list_all_secrets_ret ret = { .ret = 0 };
	g_autofree rpc_secret *handles = NULL;

	if (!check_flags(call, args->flags, LIST_FLAGS))
		return;
	handles = g_new(rpc_secret, MAX(secrets->len, 1));
	for (unsigned i = 0; i < secrets->len && ret.ret < RPC_MAX_SECRETS; i++) {
		if (is_wanted(secrets->pdata[i], args->flags))
			handles[ret.ret++] = secret_handle(secrets->pdata[i]);
	}
	if (args->need_results) {
		ret.secrets.secrets_val = handles;
		ret.secrets.secrets_len = ret.ret;
	}
	call_reply(call, &ret);
}

static void on_num(struct call *call, const void *args)
{
	rpc_connect_num_of_secrets_ret ret = { .num = (int)call->node->secrets->len };

	(void)args;
	call_reply(call, &ret);
}

static void on_list(struct call *call, const rpc_connect_list_secrets_args *args)
{
	const GPtrArray *secrets = call->node->secrets;
	rpc_connect_list_secrets_ret ret = { { 0 } };
	g_autofree rpc_text *uuids = NULL;

	if (args->maxuuids < 0 || args->maxuuids > RPC_MAX_SECRETS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC, "a list of %d secrets: it has 0 to %d",
			  args->maxuuids, RPC_MAX_SECRETS);
		return;
	}
	uuids = g_new(rpc_text, MAX(secrets->len, 1));
	for (unsigned i = 0; i < secrets->len && i < (unsigned)args->maxuuids; i++) {
		struct secret_entry *secret = secrets->pdata[i];

		uuids[ret.uuids.uuids_len++] = secret->uuid_text;
	}
	ret.uuids.uuids_val = uuids;
	call_reply(call, &ret);
}

/* == Look-ups, whose answers have one layout, which is that of a definition's, too == */

static void reply_secret(struct call *call, const struct secret_entry *secret)
{
	rpc_secret_lookup_by_uuid_ret ret = { .secret = secret_handle(secret) };

	call_reply(call, &ret);
}

static void on_by_uuid(struct call *call, const rpc_secret_lookup_by_uuid_args *args)
{
	rpc_secret handle = { .usageType = 0 };
	const struct secret_entry *secret;

	memcpy(handle.uuid, args->uuid, sizeof(handle.uuid));
	secret = call_secret(call, &handle);
	if (secret)
		reply_secret(call, secret);
}

static void on_by_usage(struct call *call, const rpc_secret_lookup_by_usage_args *args)
{
	const bool known = args->usageType > 0 && args->usageType < SECRET_USE_COUNT;
	const struct secret_entry *secret =
		known ? secret_by_usage(call->node, (enum secret_use)args->usageType, args->usageID)
		      : NULL;

	if (secret)
		reply_secret(call, secret);
	else
		call_fail(call, RPC_CODE_NO_SECRET, RPC_FROM_SECRET,
			  "Secret not found: no secret with matching usage '%.256s'",
			  args->usageID);
}

static void on_get_xml(struct call *call, const rpc_secret_get_xml_desc_args *args)
{
	const struct secret_entry *secret = call_secret(call, &args->secret);
	g_autofree char *xml = NULL;
	rpc_secret_get_xml_desc_ret ret;

	if (!secret || !check_flags(call, args->flags, 0))
		return;
	xml = secret_def_format(secret->def);
	ret.xml = xml;
	call_reply(call, &ret);
}

/* == What is kept: two files, one of which may be written when the other cannot be ==
 *
 * Wherever the daemon is killed, there is no value without a definition, which would lie about for ever: it comes
 * last and goes first. So one that is becoming ephemeral may have lost its value by then, and else is as before.
 * If the second file cannot be written the first one is made what it was, while call->data has the reason.
 */

static void free_error(void *data)
{
	g_error_free(data);
}

static void fail_keeping(struct call *call, const GError *error)
{
	call_fail(call, call_code_of(error), RPC_FROM_SECRET, "secret '%s' cannot be kept: %s",
		  call->object->name, error->message);
}

static void remember_why(struct call *call, const GError *error)
{
	call->data = g_error_copy(error);
	call->data_free = free_error;
}

static void put_back(struct call *call, const GError *error)
{
	if (error)
		g_warning("secret '%s': what it was cannot be kept again: %s", call->object->name,
			  error->message);
	fail_keeping(call, call->data);
}

/* == Define: call->subject is the new definition, afterwards the old one == */

static void free_def(void *data)
{
	secret_def_free(data);
}

static void swap_def(struct call *call)
{
	struct secret_entry *secret = secret_of(call->object);
	struct secret_def *def = secret->def;

	secret->def = call->subject;
	call->subject = def;
}

/* Of a new one there was none before. */
static void give_back(struct call *call)
{
	if (call->subject)
		swap_def(call);
	else
		secret_entry_remove(secret_of(call->object));
}

static bool is_ephemeral(const struct secret_entry *secret)
{
	return secret->def->ephemeral == TRI_YES;
}

static void defined(struct call *call, const GError *error)
{
	struct secret_entry *secret = secret_of(call->object);
	const bool value_first = is_ephemeral(secret);

	if (!error) {
		tell_lifecycle(secret, SECRET_DEFINED);
		reply_secret(call, secret);
		return;
	}
	remember_why(call, error);
	give_back(call);
	if (!call->subject)
		secret_keep_nothing(secret, call_task(call, put_back));
	else if (value_first)
		secret_keep_value(secret, call_task(call, put_back));
	else
		secret_keep_def(secret, call_task(call, put_back));
}

static void first_kept(struct call *call, const GError *error)
{
	struct secret_entry *secret = secret_of(call->object);

	if (error) {
		give_back(call);
		fail_keeping(call, error);
	} else if (is_ephemeral(secret)) {
		secret_keep_def(secret, call_task(call, defined));
	} else {
		secret_keep_value(secret, call_task(call, defined));
	}
}

static bool still_there(struct call *call)
{
	if (!call->object->gone)
		return true;
	call_fail(call, RPC_CODE_NO_SECRET, RPC_FROM_SECRET,
		  "Secret not found: no secret with matching uuid '%s'", call->object->name);
	return false;
}

static void define_run(struct call *call)
{
	struct secret_entry *secret = secret_of(call->object);

	if (!still_there(call))
		return;
	if (call->subject)
		swap_def(call);
	if (is_ephemeral(secret))
		secret_keep_value(secret, call_task(call, first_kept));
	else
		secret_keep_def(secret, call_task(call, first_kept));
}

static const char *what_for(const struct secret_def *def)
{
	const char *usage = secret_def_usage(def);

	return *usage ? usage : "nothing that is said";
}

/* May the new definition take the place of this one? */
static bool may_replace(struct call *call, const struct secret_entry *secret,
			const struct secret_def *def)
{
	const struct secret_def *old = secret->def;

	if (old->usage.type != def->usage.type ||
	    strcmp(secret_def_usage(old), secret_def_usage(def)) != 0) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_SECRET,
			  "a secret with UUID %s is already defined for use with %.256s; undefine "
			  "it first",
			  secret->uuid_text, what_for(old));
		return false;
	}
	if (old->private == TRI_YES && def->private != TRI_YES) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_SECRET,
			  "cannot change private flag on existing secret; undefine it first");
		return false;
	}
	return true;
}

/* NULL: the call has failed. */
static struct secret_def *take_def(struct call *call, const rpc_secret_define_xml_args *args)
{
	g_autoptr(GError) error = NULL;
	autoptr(secret_def) def = secret_def_parse(
		args->xml, strlen(args->xml),
		args->flags & DEFINE_VALIDATE ? SECRET_PARSE_STRICT : 0, NULL, &error);

	if (def)
		secret_def_fill(def);
	if (def && secret_def_check(def, &error))
		return g_steal_pointer(&def);
	call_fail(call, RPC_CODE_XML_ERROR, RPC_FROM_SECRET, "XML error: %s", error->message);
	return NULL;
}

static void on_define(struct call *call, const rpc_secret_define_xml_args *args)
{
	autoptr(secret_def) def = NULL;
	const struct secret_entry *other;
	uint8_t uuid[UUID_BYTES];
	struct secret_entry *secret;

	if (!check_flags(call, args->flags, DEFINE_VALIDATE))
		return;
	def = take_def(call, args);
	if (!def)
		return;
	(void)uuid_read(def->uuid, uuid);
	secret = secret_by_uuid(call->node, uuid);
	other = secret_by_usage(call->node, def->usage.type, secret_def_usage(def));
	if (secret && !may_replace(call, secret, def))
		return;
	if (other && other != secret) {
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_SECRET,
			  "a secret with UUID %s already defined for use with %.256s; use that, or "
			  "undefine it first",
			  other->uuid_text, what_for(def));
		return;
	}
	if (!secret && call->node->secrets->len >= RPC_MAX_SECRETS) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_SECRET,
			  "there are %d secrets already; undefine some", RPC_MAX_SECRETS);
		return;
	}
	if (secret) {
		call->subject = g_steal_pointer(&def);
		call->subject_free = free_def;
	} else {
		secret = secret_entry_new(call->node, g_steal_pointer(&def));
	}
	call_job_object(call, &secret->object, define_run);
}

/* == Its value: call->subject is the new one, or that there is none; afterwards the old one == */

static void free_value(void *data)
{
	g_bytes_unref(data);
}

static void swap_value(struct call *call)
{
	struct secret_entry *secret = secret_of(call->object);
	GBytes *value = secret->value;

	secret->value = call->subject;
	call->subject = value;
}

/* == Undefine == */

static void undefined(struct call *call, const GError *error)
{
	struct secret_entry *secret = secret_of(call->object);

	if (error) {
		swap_value(call);
		remember_why(call, error);
		secret_keep_value(secret, call_task(call, put_back));
		return;
	}
	tell_lifecycle(secret, SECRET_UNDEFINED);
	secret_entry_remove(secret);
	call_reply(call, NULL);
}

static void value_gone(struct call *call, const GError *error)
{
	if (error) {
		swap_value(call);
		fail_keeping(call, error);
	} else {
		secret_keep_nothing(secret_of(call->object), call_task(call, undefined));
	}
}

static void undefine_run(struct call *call)
{
	struct secret_entry *secret = secret_of(call->object);

	if (!still_there(call))
		return;
	call->subject_free = free_value;
	swap_value(call);
	secret_keep_value(secret, call_task(call, value_gone));
}

static void on_undefine(struct call *call, const rpc_secret_undefine_args *args)
{
	struct secret_entry *secret = call_secret(call, &args->secret);

	if (secret)
		call_job_object(call, &secret->object, undefine_run);
}

/* == Value == */

static void value_kept(struct call *call, const GError *error)
{
	struct secret_entry *secret = secret_of(call->object);

	if (error) {
		swap_value(call);
		fail_keeping(call, error);
		return;
	}
	tell_value(secret);
	call_reply(call, NULL);
}

static void set_value_run(struct call *call)
{
	if (!still_there(call))
		return;
	swap_value(call);
	secret_keep_value(secret_of(call->object), call_task(call, value_kept));
}

static void on_set_value(struct call *call, const rpc_secret_set_value_args *args)
{
	struct secret_entry *secret = call_secret(call, &args->secret);

	if (!secret || !check_flags(call, args->flags, 0))
		return;
	call->subject = secret_bytes(args->value.value_val, args->value.value_len);
	call->subject_free = free_value;
	/* What came is not to lie about in what is freed. */
	if (args->value.value_len)
		explicit_bzero(args->value.value_val, args->value.value_len);
	call_job_object(call, &secret->object, set_value_run);
}

static void on_get_value(struct call *call, const rpc_secret_get_value_args *args)
{
	const struct secret_entry *secret = call_secret(call, &args->secret);
	rpc_secret_get_value_ret ret;
	size_t len;

	if (!secret || !check_flags(call, args->flags, 0))
		return;
	if (secret->def->private == TRI_YES) {
		call_fail(call, RPC_CODE_INVALID_SECRET, RPC_FROM_SECRET,
			  "Invalid secret: secret is private");
		return;
	}
	if (!secret->value) {
		call_fail(call, RPC_CODE_NO_SECRET, RPC_FROM_SECRET,
			  "Secret not found: secret '%s' does not have a value", secret->uuid_text);
		return;
	}
	ret.value.value_val = (char *)(uintptr_t)g_bytes_get_data(secret->value, &len);
	ret.value.value_len = (unsigned)len;
	call_reply(call, &ret);
}

/* == Events == */

static void on_register(struct call *call, const rpc_connect_secret_event_register_any_args *args)
{
	event_kind_register(call, &secret_events, args->eventID,
			    args->secret ? args->secret->uuid : NULL);
}

static void on_deregister(struct call *call,
			  const rpc_connect_secret_event_deregister_any_args *args)
{
	event_kind_deregister(call, &secret_events, args->callbackID);
}

const struct call_entry secret_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_LIST_ALL_SECRETS, rpc_connect_list_all_secrets_args, on_list_all),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_SECRETS, on_num),
	HANDLE(RPC_PROC_CONNECT_LIST_SECRETS, rpc_connect_list_secrets_args, on_list),
	HANDLE(RPC_PROC_SECRET_LOOKUP_BY_UUID, rpc_secret_lookup_by_uuid_args, on_by_uuid),
	HANDLE(RPC_PROC_SECRET_LOOKUP_BY_USAGE, rpc_secret_lookup_by_usage_args, on_by_usage),
	HANDLE(RPC_PROC_SECRET_GET_XML_DESC, rpc_secret_get_xml_desc_args, on_get_xml),
	HANDLE(RPC_PROC_SECRET_DEFINE_XML, rpc_secret_define_xml_args, on_define),
	HANDLE(RPC_PROC_SECRET_UNDEFINE, rpc_secret_undefine_args, on_undefine),
	HANDLE(RPC_PROC_SECRET_SET_VALUE, rpc_secret_set_value_args, on_set_value),
	HANDLE(RPC_PROC_SECRET_GET_VALUE, rpc_secret_get_value_args, on_get_value),
	HANDLE(RPC_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY,
	       rpc_connect_secret_event_register_any_args, on_register),
	HANDLE(RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY,
	       rpc_connect_secret_event_deregister_any_args, on_deregister),
	HANDLERS_END,
};
