/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - socle-img snapshot: list, make, apply, delete internal snapshots
 */
#include "img/snapshot.h"

#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

json_t *snapshots_json(struct image *image)
{
	const GPtrArray *snapshots = qcow2_snapshots(image);
	json_t *list = json_array();

	for (unsigned i = 0; i < snapshots->len; i++) {
		const struct qcow2_snapshot *s = snapshots->pdata[i];
		json_t *json = json_object();

		if (s->icount != UINT64_MAX)
			json_object_set_new(json, "icount", json_integer((json_int_t)s->icount));
		json_object_set_new(json, "vm-clock-nsec",
				    json_integer((json_int_t)(s->vm_clock_ns % 1000000000)));
		json_object_set_new(json, "name", json_string(s->name));
		json_object_set_new(json, "date-sec", json_integer(s->date_s));
		json_object_set_new(json, "date-nsec", json_integer(s->date_ns));
		json_object_set_new(json, "vm-clock-sec",
				    json_integer((json_int_t)(s->vm_clock_ns / 1000000000)));
		json_object_set_new(json, "id", json_string(s->id));
		json_object_set_new(json, "vm-state-size", json_integer((json_int_t)s->vm_size));
		json_array_append_new(list, json);
	}
	return list;
}

void snapshots_print(struct image *image)
{
	const GPtrArray *snapshots = qcow2_snapshots(image);

	printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
	       "VM CLOCK", "ICOUNT");
	for (unsigned i = 0; i < snapshots->len; i++) {
		const struct qcow2_snapshot *s = snapshots->pdata[i];
		g_autofree char *size = img_human(s->vm_size), *clock = NULL, *icount = NULL;
		uint64_t ms = s->vm_clock_ns / 1000000;
		time_t when = (time_t)s->date_s;
		char date[32] = "";
		struct tm tm;

		if (localtime_r(&when, &tm))
			(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
		clock = g_strdup_printf("%02u:%02u:%02u.%03u", (unsigned)(ms / 3600000),
					(unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60),
					(unsigned)(ms % 1000));
		icount = s->icount == UINT64_MAX ? g_strdup("")
						 : g_strdup_printf("%" G_GUINT64_FORMAT, s->icount);
		printf("%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name, size, date, clock, icount);
	}
}

struct request {
	char *create, *apply, *delete;
	gboolean list;
};

static bool carry_out(const struct request *request, struct image *image, GError **error)
{
	if (request->create)
		return qcow2_snapshot_create(image, request->create, g_get_real_time(), error);
	if (request->apply)
		return qcow2_snapshot_apply(image, request->apply, error);
	if (request->delete)
		return qcow2_snapshot_delete(image, request->delete, error);
	if (qcow2_snapshots(image)->len)
		snapshots_print(image);
	return true;
}

static bool run(const struct request *request, const char *path, const char *format, bool shared,
		GError **error)
{
	bool writes = request->create || request->apply || request->delete;
	autoptr(image) image = NULL;

	if (writes + request->list > 1 || (request->create && request->apply) ||
	    (request->create && request->delete) || (request->apply && request->delete))
		return error_set(error, SOCLE_ERROR_USAGE, "give one of -l, -c, -a, -d");
	/* Only these can have snapshots, so nothing is guessed. */
	if (!format && writes)
		format = "qcow2";
	image = image_open(path, format,
			   (writes ? IMAGE_WRITE : 0) | (shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0),
			   error);
	if (!image)
		return false;
	if (image->ops != &image_qcow2_ops)
		return writes ? error_set(error, SOCLE_ERROR_UNSUPPORTED,
					  "images of format '%s' have no snapshots",
					  image->ops->format)
			      : true;
	return carry_out(request, image, error);
}

int img_snapshot(const struct img_command *command, int argc, char **argv)
{
	struct request request = { 0 };
	g_autofree char *format = NULL;
	gboolean quiet = FALSE, shared = FALSE;
	const GOptionEntry entries[] = {
		{ "list", 'l', 0, G_OPTION_ARG_NONE, &request.list, "list them", NULL },
		{ "create", 'c', 0, G_OPTION_ARG_STRING, &request.create, "make one", "NAME" },
		{ "apply", 'a', 0, G_OPTION_ARG_STRING, &request.apply,
		  "go back to it; what is there now is lost", "NAME" },
		{ "delete", 'd', 0, G_OPTION_ARG_STRING, &request.delete, "delete it", "NAME" },
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format, "format", "FORMAT" },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "has no effect", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &shared,
		  "look at it also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 1, 1, &status))
		return status;
	status = run(&request, argv[1], format, shared, &error) ? IMG_OK : img_fail(error);
	g_free(request.create);
	g_free(request.apply);
	g_free(request.delete);
	return status;
}
