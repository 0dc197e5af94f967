/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc-option.c - where VNC clients come in, as text
 */
#include <string.h>

#include "base/error.h"
#include "vmm/keyvalue.h"
#include "vmm/screen.h"

/* "127.0.0.1:5900", "[::1]:5900". */
static bool parse_address(struct vnc_option *option, const char *text, GError **error)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	guint64 port;

	if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is no address; give HOST:PORT, as 127.0.0.1:5900", text);
	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "who may look is to be said: give 127.0.0.1%s for this host, "
				 "0.0.0.0%s for all",
				 colon, colon);
	option->listen = VNC_LISTEN_TCP;
	option->host = g_strndup(text, len);
	option->port = (unsigned)port;
	return true;
}

static bool take_place(struct vnc_option *option, struct keyvalue *list, GError **error)
{
	unsigned fd = G_MAXUINT;

	if (keyvalue_take_word(list, "none"))
		return true;
	if (!keyvalue_take_text(list, "unix", &option->path, error) ||
	    !keyvalue_take_unsigned(list, "fd", 3, G_MAXINT, &fd, error))
		return false;
	if (option->path) {
		option->listen = VNC_LISTEN_UNIX;
		return true;
	}
	if (fd != G_MAXUINT) {
		option->listen = VNC_LISTEN_FD;
		option->fd = fd;
		return true;
	}
	for (unsigned i = 0; i < list->count; i++) {
		if (list->item[i].value || list->item[i].taken)
			continue;
		list->item[i].taken = true;
		return parse_address(option, list->item[i].key, error);
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "give HOST:PORT, unix=PATH, fd=N or none: where clients come in");
}

bool vnc_option_parse(struct vnc_option *option, const char *value, GError **error)
{
	struct keyvalue list;
	bool ok;

	vnc_option_release(option);
	if (!keyvalue_parse(&list, value, NULL, error))
		return false;
	option->on = true;
	ok = take_place(option, &list, error) &&
	     keyvalue_take_bool(&list, "password", &option->password, error) &&
	     keyvalue_done(&list, "HOST:PORT, unix=PATH, fd=N, none, password=on", error);
	keyvalue_release(&list);
	return ok;
}

void vnc_option_release(struct vnc_option *option)
{
	g_free(option->host);
	g_free(option->path);
	*option = (struct vnc_option){ .on = false };
}
