/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-domain.c - calls about the life of domains, what they are, saving and jobs
 */
#include "calls.h"

static char *run_list(struct env *e)
{
	struct socle_domain **doms = NULL;
	int count = socle_domain_list(e->conn, SOCLE_LIST_ACTIVE, &doms, ERR);
	char *said = say_if(count, g_strdup_printf("%d %s %s", count,
						   count > 0 ? socle_domain_name(doms[0]) : "",
						   count > 1 ? socle_domain_name(doms[1]) : ""));

	socle_domains_free(doms);
	return said;
}

static char *run_get_id(struct env *e)
{
	int id = 0;
	int rc = socle_domain_get_id(e->dom, &id, ERR);

	return say_if(rc, say_int(id));
}

RUN(number, say_int(socle_domain_list(e->conn, 0, NULL, ERR)));
RUN(by_name, say_domain(socle_domain_by_name(e->conn, "vm", ERR)));
RUN(by_uuid, say_domain(socle_domain_by_uuid(e->conn, fake_uuid, ERR)));
RUN(by_uuid_text,
    say_domain(socle_domain_by_uuid_text(e->conn, "01234567-89AB-cdef-fedc-ba9876543210", ERR)));
RUN(by_id, say_domain(socle_domain_by_id(e->conn, 7, ERR)));
RUN(define, say_domain(socle_domain_define(e->conn, "<d/>", 1, ERR)));
RUN(create_xml, say_domain(socle_domain_create_xml(e->conn, "<d/>", 3, ERR)));
RUN(create, say_int(socle_domain_create(e->dom, 1, ERR)));
RUN(undefine, say_int(socle_domain_undefine(e->dom, 7, ERR)));
RUN(suspend, say_int(socle_domain_suspend(e->dom, ERR)));
RUN(resume, say_int(socle_domain_resume(e->dom, ERR)));
RUN(shutdown, say_int(socle_domain_shutdown(e->dom, 2, ERR)));
RUN(reboot, say_int(socle_domain_reboot(e->dom, 1, ERR)));
RUN(reset, say_int(socle_domain_reset(e->dom, 0, ERR)));
RUN(destroy, say_int(socle_domain_destroy(e->dom, 1, ERR)));
RUN(rename, say_int(socle_domain_rename(e->dom, "new", 0, ERR)));
RUN(pm_suspend, say_int(socle_domain_pm_suspend(e->dom, 2, 60, 1, ERR)));
RUN(pm_wakeup, say_int(socle_domain_pm_wakeup(e->dom, 1, ERR)));
RUN(xml, say_text(socle_domain_xml(e->dom, SOCLE_XML_INACTIVE, ERR)));

static char *run_state(struct env *e)
{
	int state = 0, reason = 0;
	int rc = socle_domain_state(e->dom, 1, &state, &reason, ERR);

	return say_if(rc, g_strdup_printf("%s %s", socle_domain_state_name(state),
					  socle_domain_reason_name(state, reason)));
}

static char *run_info(struct env *e)
{
	struct socle_domain_info i = { .vcpus = 0 };
	int rc = socle_domain_info(e->dom, &i, ERR);

	return say_if(rc, g_strdup_printf("%d %d %d %u %d", (int)i.state, (int)i.max_memory_kib,
					  (int)i.memory_kib, i.vcpus, (int)i.cpu_time_ns));
}

RUN(os_type, say_text(socle_domain_os_type(e->dom, ERR)));
RUN(is_active, say_int(socle_domain_is_active(e->dom, ERR)));
RUN(is_persistent, say_int(socle_domain_is_persistent(e->dom, ERR)));
RUN(is_updated, say_int(socle_domain_is_updated(e->dom, ERR)));
RUN(get_autostart, say_int(socle_domain_get_autostart(e->dom, ERR)));
RUN(set_autostart, say_int(socle_domain_set_autostart(e->dom, true, ERR)));

static char *run_messages(struct env *e)
{
	char **messages = NULL;
	int count = socle_domain_messages(e->dom, 2, &messages, ERR);

	return say_texts(count, messages);
}

RUN(get_metadata, say_text(socle_domain_get_metadata(e->dom, 2, "urn:x", 1, ERR)));
RUN(set_metadata, say_int(socle_domain_set_metadata(e->dom, 2, "<t/>", "k", "urn:x", 3, ERR)));
RUN(unset_metadata, say_int(socle_domain_set_metadata(e->dom, 1, NULL, NULL, NULL, 0, ERR)));

static char *run_security_label(struct env *e)
{
	g_autofree char *label = NULL;
	bool enforcing = false;
	int rc = socle_domain_security_label(e->dom, &label, &enforcing, ERR);

	return say_if(rc, g_strdup_printf("%s %d", label, enforcing));
}

RUN(save, say_int(socle_domain_save(e->dom, "/to", "<d/>", 1, ERR)));
RUN(restore, say_int(socle_domain_restore(e->conn, "/from", NULL, 2, ERR)));
RUN(image_xml, say_text(socle_save_image_xml(e->conn, "/file", 1, ERR)));
RUN(image_define, say_int(socle_save_image_define(e->conn, "/file", "<d/>", 2, ERR)));
RUN(managed_save, say_int(socle_domain_managed_save(e->dom, 4, ERR)));
RUN(has_managed_save, say_int(socle_domain_has_managed_save(e->dom, 0, ERR)));
RUN(managed_save_remove, say_int(socle_domain_managed_save_remove(e->dom, 0, ERR)));
RUN(core_dump, say_int(socle_domain_core_dump(e->dom, "/to", 3, 16, ERR)));

static char *run_job_info(struct env *e)
{
	struct socle_job_info i = { .type = SOCLE_JOB_NONE };
	int rc = socle_domain_job_info(e->dom, &i, ERR);
	const uint64_t v[] = { i.time_elapsed,   i.time_remaining, i.data_total,
			       i.data_processed, i.data_remaining, i.mem_total,
			       i.mem_processed,  i.mem_remaining,  i.file_total,
			       i.file_processed, i.file_remaining };
	GString *out = g_string_new(NULL);

	g_string_printf(out, "%d:", (int)i.type);
	for (size_t n = 0; n < G_N_ELEMENTS(v); n++)
		g_string_append_printf(out, " %d", (int)v[n]);
	return say_if(rc, g_string_free(out, FALSE));
}

static char *run_job_stats(struct env *e)
{
	int type = 0;
	struct socle_params *params = socle_domain_job_stats(e->dom, 1, &type, ERR);
	g_autofree char *said = say_params(params);

	return params ? g_strdup_printf("%d %s", type, said) : g_strdup("NULL");
}

RUN(abort_job, say_int(socle_domain_abort_job(e->dom, ERR)));

static char *run_control_info(struct env *e)
{
	struct socle_control_info i = { .details = 0 };
	int rc = socle_domain_control_info(e->dom, 1, &i, ERR);

	return say_if(rc,
		      g_strdup_printf("%d %u %d", (int)i.state, i.details, (int)i.state_time_ms));
}

static const struct case_ cases[] = {
	CASE(list, CONNECT_LIST_ALL_DOMAINS, "i1 i1", "i2 D D i2", "2 vm vm"),
	CASE(number, CONNECT_LIST_ALL_DOMAINS, "i0 i0", "i0 i9", "9"),
	CASE(get_id, DOMAIN_LOOKUP_BY_UUID, "U", "D", "7"),
	CASE(by_name, DOMAIN_LOOKUP_BY_NAME, "s:vm", "D", "vm 7"),
	CASE(by_uuid, DOMAIN_LOOKUP_BY_UUID, "U", "D", "vm 7"),
	CASE(by_uuid_text, DOMAIN_LOOKUP_BY_UUID, "U", "D", "vm 7"),
	CASE(by_id, DOMAIN_LOOKUP_BY_ID, "i7", "D", "vm 7"),
	CASE(define, DOMAIN_DEFINE_XML_FLAGS, "s:<d/> i1", "D", "vm 7"),
	CASE(create_xml, DOMAIN_CREATE_XML, "s:<d/> i3", "D", "vm 7"),
	CASE(create, DOMAIN_CREATE_WITH_FLAGS, "D i1", "", "0"),
	CASE(undefine, DOMAIN_UNDEFINE_FLAGS, "D i7", "", "0"),
	CASE(suspend, DOMAIN_SUSPEND, "D", "", "0"),
	CASE(resume, DOMAIN_RESUME, "D", "", "0"),
	CASE(shutdown, DOMAIN_SHUTDOWN_FLAGS, "D i2", "", "0"),
	CASE(reboot, DOMAIN_REBOOT, "D i1", "", "0"),
	CASE(reset, DOMAIN_RESET, "D i0", "", "0"),
	CASE(destroy, DOMAIN_DESTROY_FLAGS, "D i1", "", "0"),
	CASE(rename, DOMAIN_RENAME, "D ?:new i0", "", "0"),
	CASE(pm_suspend, DOMAIN_PM_SUSPEND_FOR_DURATION, "D i2 h60 i1", "", "0"),
	CASE(pm_wakeup, DOMAIN_PM_WAKEUP, "D i1", "", "0"),
	CASE(xml, DOMAIN_GET_XML_DESC, "D i2", "s:<domain/>", "<domain/>"),
	CASE(state, DOMAIN_GET_STATE, "D i1", "i5 i2", "shut off destroyed"),
	CASE(info, DOMAIN_GET_INFO, "D", "i1 h4 h3 i258 h5", "1 4 3 258 5"),
	CASE(os_type, DOMAIN_GET_OS_TYPE, "D", "s:hvm", "hvm"),
	CASE(is_active, DOMAIN_IS_ACTIVE, "D", "i1", "1"),
	CASE(is_persistent, DOMAIN_IS_PERSISTENT, "D", "i0", "0"),
	CASE(is_updated, DOMAIN_IS_UPDATED, "D", "i5", "1"),
	CASE(get_autostart, DOMAIN_GET_AUTOSTART, "D", "i1", "1"),
	CASE(set_autostart, DOMAIN_SET_AUTOSTART, "D i1", "", "0"),
	CASE(messages, DOMAIN_GET_MESSAGES, "D i2", "i2 s:a s:b", "a,b"),
	CASE(get_metadata, DOMAIN_GET_METADATA, "D i2 ?:urn:x i1", "s:<t/>", "<t/>"),
	CASE(set_metadata, DOMAIN_SET_METADATA, "D i2 ?:<t/> ?:k ?:urn:x i3", "", "0"),
	CASE(unset_metadata, DOMAIN_SET_METADATA, "D i1 - - - i0", "", "0"),
	CASE(security_label, DOMAIN_GET_SECURITY_LABEL, "D", "c:label i1", "label 1"),
	CASE(save, DOMAIN_SAVE_FLAGS, "D s:/to ?:<d/> i1", "", "0"),
	CASE(restore, DOMAIN_RESTORE_FLAGS, "s:/from - i2", "", "0"),
	CASE(image_xml, DOMAIN_SAVE_IMAGE_GET_XML_DESC, "s:/file i1", "s:<d/>", "<d/>"),
	CASE(image_define, DOMAIN_SAVE_IMAGE_DEFINE_XML, "s:/file s:<d/> i2", "", "0"),
	CASE(managed_save, DOMAIN_MANAGED_SAVE, "D i4", "", "0"),
	CASE(has_managed_save, DOMAIN_HAS_MANAGED_SAVE_IMAGE, "D i0", "i1", "1"),
	CASE(managed_save_remove, DOMAIN_MANAGED_SAVE_REMOVE, "D i0", "", "0"),
	CASE(core_dump, DOMAIN_CORE_DUMP_WITH_FORMAT, "D s:/to i3 i16", "", "0"),
	CASE(job_info, DOMAIN_GET_JOB_INFO, "D", "i2 h1 h2 h3 h4 h5 h6 h7 h8 h9 h10 h11",
	     "2: 1 2 3 4 5 6 7 8 9 10 11"),
	CASE(job_stats, DOMAIN_GET_JOB_STATS, "D i1", "i3 i1 s:time i4 h9", "3 time=U9"),
	CASE(abort_job, DOMAIN_ABORT_JOB, "D", "", "0"),
	CASE(control_info, DOMAIN_GET_CONTROL_INFO, "D i1", "i3 i2 h99", "3 2 99"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
