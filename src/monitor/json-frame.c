/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json-frame.c - cut a stream of bytes into JSON messages
 *
 * A push-down automaton over the grammar of JSON (RFC 8259), one byte at a time. It knows what may
 * come next, so a peer that sends half a message and then another is answered, instead of being
 * waited for until all brackets close. What words and numbers and escapes mean is left to the
 * parser, which gets the message afterwards.
 *
 *  (1) depth == 0 exactly between messages, and while bytes are being skipped.
 *  (2) Bit n of @arrays says what is open at depth n + 1: an array, else an object.
 *  (3) len <= JSON_FRAME_MAX_SIZE; a message that would exceed it is followed, not stored.
 */
#include "monitor/json-frame.h"

#include <assert.h>
#include <glib.h>
#include <string.h>

/* What the grammar allows next. */
enum expect {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* behind '[' */
	EXPECT_KEY,
	EXPECT_KEY_OR_END, /* behind '{' */
	EXPECT_COLON,
	EXPECT_COMMA_OR_END, /* behind a value */
};

/* What the byte before was part of. */
enum lexeme {
	LEXEME_NONE,
	LEXEME_STRING,
	LEXEME_ESCAPE, /* in a string, behind a backslash */
	LEXEME_WORD,   /* number, true, false, null */
};

struct json_frame {
	enum expect expect;
	enum lexeme lexeme;
	unsigned depth;
	uint64_t arrays;
	bool line_start; /* nothing but blanks in this line so far */
	bool skipping;   /* to the end of the line */
	bool too_long;   /* told already */
	bool done;       /* text was handed out, drop it at the next feed */
	char *text;
	size_t len, room;
};

static_assert(JSON_FRAME_MAX_DEPTH <= 64, "a bit for each level");

struct json_frame *json_frame_new(void)
{
	struct json_frame *frame = g_new(struct json_frame, 1);

	*frame = (struct json_frame){ .line_start = true };
	return frame;
}

void json_frame_free(struct json_frame *frame)
{
	if (!frame)
		return;
	g_free(frame->text);
	g_free(frame);
}

const char *json_frame_text(const struct json_frame *frame, size_t *ret_len)
{
	*ret_len = frame->len;
	return frame->text;
}

/* Forget the message so far. A buffer that grew large is not kept for small ones. */
static void frame_clear(struct json_frame *frame)
{
	frame->depth = 0;
	frame->lexeme = LEXEME_NONE;
	frame->too_long = false;
	frame->done = false;
	frame->len = 0;
	if (frame->room > 4096) {
		g_clear_pointer(&frame->text, g_free);
		frame->room = 0;
	}
}

static enum json_frame_result frame_store(struct json_frame *frame, char c)
{
	if (frame->too_long)
		return JSON_FRAME_MORE;
	if (frame->len == JSON_FRAME_MAX_SIZE) {
		frame->too_long = true;
		return JSON_FRAME_TOO_LONG;
	}
	if (frame->len == frame->room) {
		frame->room = frame->room ? frame->room * 2 : 256;
		frame->text = g_realloc(frame->text, frame->room);
	}
	frame->text[frame->len++] = c;
	return JSON_FRAME_MORE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '+' || c == '.';
}

static enum json_frame_result frame_open(struct json_frame *frame, char c)
{
	uint64_t bit;

	if (frame->depth == JSON_FRAME_MAX_DEPTH)
		return JSON_FRAME_TOO_DEEP;
	bit = 1ull << frame->depth++;
	if (c == '[') {
		frame->arrays |= bit;
		frame->expect = EXPECT_VALUE_OR_END;
	} else {
		frame->arrays &= ~bit;
		frame->expect = EXPECT_KEY_OR_END;
	}
	return JSON_FRAME_MORE;
}

static bool in_array(const struct json_frame *frame)
{
	return frame->arrays >> (frame->depth - 1) & 1;
}

static enum json_frame_result frame_close(struct json_frame *frame, char c)
{
	bool empty = in_array(frame) ? frame->expect == EXPECT_VALUE_OR_END
				     : frame->expect == EXPECT_KEY_OR_END;

	if ((c == ']') != in_array(frame) || (!empty && frame->expect != EXPECT_COMMA_OR_END))
		return JSON_FRAME_INVALID;
	frame->depth--;
	frame->expect = EXPECT_COMMA_OR_END;
	return frame->depth ? JSON_FRAME_MORE : JSON_FRAME_MESSAGE;
}

static bool value_expected(const struct json_frame *frame)
{
	return frame->expect == EXPECT_VALUE || frame->expect == EXPECT_VALUE_OR_END;
}

/* A byte between lexemes, within a message. */
static enum json_frame_result frame_token(struct json_frame *frame, char c)
{
	bool key = frame->expect == EXPECT_KEY || frame->expect == EXPECT_KEY_OR_END;

	switch (c) {
	case '{':
	case '[':
		return value_expected(frame) ? frame_open(frame, c) : JSON_FRAME_INVALID;
	case '}':
	case ']':
		return frame_close(frame, c);
	case '"':
		if (!key && !value_expected(frame))
			return JSON_FRAME_INVALID;
		frame->expect = key ? EXPECT_COLON : EXPECT_COMMA_OR_END;
		frame->lexeme = LEXEME_STRING;
		return JSON_FRAME_MORE;
	case ':':
		if (frame->expect != EXPECT_COLON)
			return JSON_FRAME_INVALID;
		frame->expect = EXPECT_VALUE;
		return JSON_FRAME_MORE;
	case ',':
		if (frame->expect != EXPECT_COMMA_OR_END)
			return JSON_FRAME_INVALID;
		frame->expect = in_array(frame) ? EXPECT_VALUE : EXPECT_KEY;
		return JSON_FRAME_MORE;
	default:
		if (is_blank(c))
			return JSON_FRAME_MORE;
		if (!is_word(c) || !value_expected(frame))
			return JSON_FRAME_INVALID;
		frame->expect = EXPECT_COMMA_OR_END;
		frame->lexeme = LEXEME_WORD;
		return JSON_FRAME_MORE;
	}
}

static enum json_frame_result frame_lex(struct json_frame *frame, char c)
{
	switch (frame->lexeme) {
	case LEXEME_ESCAPE:
	case LEXEME_STRING:
		if ((unsigned char)c < 0x20)
			return JSON_FRAME_INVALID;
		if (frame->lexeme == LEXEME_ESCAPE)
			frame->lexeme = LEXEME_STRING;
		else if (c == '\\')
			frame->lexeme = LEXEME_ESCAPE;
		else if (c == '"')
			frame->lexeme = LEXEME_NONE;
		return JSON_FRAME_MORE;
	case LEXEME_WORD:
		if (is_word(c))
			return JSON_FRAME_MORE;
		frame->lexeme = LEXEME_NONE;
		return frame_token(frame, c);
	case LEXEME_NONE:
		break;
	}
	return frame_token(frame, c);
}

/* @c was wrong: where does the stream go on? */
static enum json_frame_result frame_fail(struct json_frame *frame, char c,
					 enum json_frame_result result)
{
	bool told = frame->too_long;

	frame_clear(frame);
	if (c == '{' && frame->line_start && result == JSON_FRAME_INVALID) {
		(void)frame_open(frame, c);
		(void)frame_store(frame, c);
	} else {
		frame->skipping = c != '\n' && c != '\xff';
	}
	return told ? JSON_FRAME_MORE : result;
}

static enum json_frame_result frame_byte(struct json_frame *frame, char c)
{
	enum json_frame_result result, stored;

	if (frame->skipping) {
		frame->skipping = c != '\n' && c != '\xff';
		return JSON_FRAME_MORE;
	}
	if (frame->depth == 0) {
		if (is_blank(c))
			return JSON_FRAME_MORE;
		if (c != '{' && c != '[')
			return frame_fail(frame, c, JSON_FRAME_INVALID);
		(void)frame_open(frame, c);
		return frame_store(frame, c);
	}
	/* 0xff is no byte of UTF-8, so it cannot be meant as part of a string. */
	result = c == '\xff' ? JSON_FRAME_INVALID : frame_lex(frame, c);
	if (result == JSON_FRAME_INVALID || result == JSON_FRAME_TOO_DEEP)
		return frame_fail(frame, c, result);
	stored = frame_store(frame, c);
	if (result == JSON_FRAME_MESSAGE && frame->too_long) {
		frame_clear(frame);
		return stored;
	}
	frame->done = result == JSON_FRAME_MESSAGE;
	return stored == JSON_FRAME_TOO_LONG ? stored : result;
}

size_t json_frame_feed(struct json_frame *frame, const char *buf, size_t len,
		       enum json_frame_result *ret_result)
{
	if (frame->done)
		frame_clear(frame);
	for (size_t i = 0; i < len; i++) {
		*ret_result = frame_byte(frame, buf[i]);
		frame->line_start = buf[i] == '\n' || (frame->line_start && is_blank(buf[i]));
		if (*ret_result != JSON_FRAME_MORE)
			return i + 1;
	}
	*ret_result = JSON_FRAME_MORE;
	return len;
}
