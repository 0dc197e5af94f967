/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print.c - output of guests, in 32 and 64 bits
 */
#include <stdarg.h>

#include "guest.h"

int guest_failures;

static void put(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, (u8)c);
}

static void put_hex(u64 v)
{
	int shift = 60;

	while (shift > 0 && !(v >> shift & 15))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put("0123456789abcdef"[v >> shift & 15]);
}

static void put_dec(u32 v)
{
	char buf[10];
	int n = 0;

	do
		buf[n++] = (char)('0' + v % 10);
	while ((v /= 10));
	while (n)
		put(buf[--n]);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		int is_long = 0;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		for (fmt++; *fmt == 'l'; fmt++)
			is_long = 1;
		switch (*fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
			break;
		case 'c':
			put((char)va_arg(ap, int));
			break;
		case 'x':
			put_hex(is_long ? va_arg(ap, uptr) : va_arg(ap, u32));
			break;
		case 'd':
		case 'u':
			put_dec(is_long ? (u32)va_arg(ap, uptr) : va_arg(ap, u32));
			break;
		default:
			put(*fmt);
			break;
		}
	}
	va_end(ap);
}

void check(const char *name, int ok)
{
	print("%s: %s\n", name, ok ? "ok" : "WRONG");
	guest_failures += !ok;
}

void guest_exit(int code)
{
	outb(0xf4, (u8)code);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The compiler asks for them even in freestanding programs. */
void *memset(void *p, int c, uptr n);
void *memcpy(void *to, const void *from, uptr n);

void *memset(void *p, int c, uptr n)
{
	for (uptr i = 0; i < n; i++)
		((volatile u8 *)p)[i] = (u8)c;
	return p;
}

void *memcpy(void *to, const void *from, uptr n)
{
	for (uptr i = 0; i < n; i++)
		((volatile u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}
