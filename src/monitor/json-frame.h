/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json-frame.h - cut a stream of bytes into JSON messages
 *
 * A message is a JSON object or array. It need not end in a newline, may span several reads, and
 * several may share one. The stream is hostile: size and depth are bounded, and what is wrong is
 * told at its first wrong byte, however the stream was split.
 *
 * Threads: any, one at a time.
 */
#ifndef MONITOR_JSON_FRAME_H
#define MONITOR_JSON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	JSON_FRAME_MAX_SIZE = 64 * 1024, /* bytes of a message */
	JSON_FRAME_MAX_DEPTH = 64,       /* objects and arrays within each other */
};

enum json_frame_result {
	JSON_FRAME_MORE,     /* all bytes taken, no message yet */
	JSON_FRAME_MESSAGE,  /* json_frame_text() has brackets and commas that fit together */
	JSON_FRAME_INVALID,  /* this cannot become JSON */
	JSON_FRAME_TOO_LONG, /* skipped to its end */
	JSON_FRAME_TOO_DEEP,
};

struct json_frame;

struct json_frame *json_frame_new(void);
void json_frame_free(struct json_frame *frame);
DEFINE_AUTOPTR(json_frame, json_frame_free);

/**
 * json_frame_feed() - take bytes up to the first thing to tell
 * @ret_result: what it is
 *
 * Behind an error the stream goes on at the next line, or at a byte 0xff (which peers send to be
 * understood again, whatever was before). A '{' that is wrong and stands first in its line starts a
 * message: the one before it was never finished.
 *
 * Return: how many bytes were taken, @len with JSON_FRAME_MORE
 */
size_t json_frame_feed(struct json_frame *frame, const char *buf, size_t len,
		       enum json_frame_result *ret_result);

/* The message, valid until the next feed. */
const char *json_frame_text(const struct json_frame *frame, size_t *ret_len);

#endif
