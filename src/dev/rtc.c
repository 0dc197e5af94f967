/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtc.c - real-time clock with 128 bytes of CMOS memory (Motorola MC146818A data sheet)
 *
 * The guest's clock is the host's plus an offset, which changes when the guest sets the time. The
 * time cells are computed when they are read. Two things stop the clock: SET in register B, and
 * the divider held in reset by register A. While it stands, the cells are plain memory; when it
 * starts again they are the new time.
 *
 * Flags of register C are computed too, from how far the clock has come since rtc_catch_up_locked()
 * was last here. A timer runs only while an interrupt is enabled whose flag is not set yet.
 *
 *  (1) seen is the guest's time up to which the flags are right.
 *  (2) The interrupt line is high exactly while a flag is set whose interrupt is enabled.
 *
 * Ticks that nobody fetched are not repeated: one flag stands for all of them.
 */
#include "dev/rtc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "bus/io.h"

#define NS_PER_S 1000000000

enum {
	CELL_SECONDS = 0x00,
	CELL_SECONDS_ALARM = 0x01,
	CELL_MINUTES = 0x02,
	CELL_MINUTES_ALARM = 0x03,
	CELL_HOURS = 0x04,
	CELL_HOURS_ALARM = 0x05,
	CELL_WEEKDAY = 0x06,
	CELL_DAY = 0x07,
	CELL_MONTH = 0x08,
	CELL_YEAR = 0x09,
	CELL_A = 0x0a,
	CELL_B = 0x0b,
	CELL_C = 0x0c,
	CELL_D = 0x0d,
	CELL_BASE_KIB = 0x15,     /* 2 bytes: memory below 640 KiB */
	CELL_EXT_KIB = 0x17,      /* 2: above 1 MiB, at most 64 MiB */
	CELL_EXT_KIB_POST = 0x30, /* 2: the same, as found */
	CELL_EXT_64KIB = 0x34,    /* 2: above 16 MiB and below 4 GiB */
	CELL_HIGH_64KIB = 0x5b,   /* 3: above 4 GiB */
	CELL_OTHER_CPUS = 0x5f,   /* for firmware: CPUs besides the first one */
	CELLS = 0x80,
};

enum {
	A_UIP = 0x80,
	A_DIVIDER = 0x70,
	A_DIVIDER_RUNS = 0x20,  /* with a 32768 Hz crystal */
	A_DIVIDER_RESET = 0x60, /* and 0x70 */
	A_RATE = 0x0f,

	B_24H = 0x02,
	B_BINARY = 0x04,
	B_UIE = 0x10, /* the flags of C at the same places */
	B_AIE = 0x20,
	B_PIE = 0x40,
	B_SET = 0x80,

	C_UF = B_UIE,
	C_AF = B_AIE,
	C_PF = B_PIE,
	C_FLAGS = C_UF | C_AF | C_PF,
	C_IRQF = 0x80,

	D_VALID = 0x80,

	HOUR_PM = 0x80,
	ALARM_ANY = 0xc0, /* values from here match every time */
	UIP_NS = 244000,  /* how long before a second's end reading is advised against */
	CRYSTAL_HZ = 32768,
};

/* Since 1970; ns is below 10^9. */
struct stamp {
	int64_t s;
	int64_t ns;
};

struct rtc {
	struct io_range range;
	struct io_space *pio;
	struct irq_line irq;
	struct dev_clock *clock;
	struct dev_timer *timer;

	pthread_mutex_t lock; /* guards all below */
	uint8_t index;
	uint8_t cell[CELLS];
	struct stamp offset; /* guest's time less the host's */
	struct stamp seen;
	bool level; /* of the interrupt line */
};

DATA_PATH static struct stamp stamp_normal(int64_t s, int64_t ns)
{
	if (ns >= NS_PER_S)
		return (struct stamp){ s + 1, ns - NS_PER_S };
	if (ns < 0)
		return (struct stamp){ s - 1, ns + NS_PER_S };
	return (struct stamp){ s, ns };
}

DATA_PATH static struct stamp host_time(const struct rtc *rtc)
{
	uint64_t ns = dev_clock_realtime_ns(rtc->clock);

	return (struct stamp){ (int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S) };
}

DATA_PATH static struct stamp guest_time_locked(const struct rtc *rtc)
{
	struct stamp host = host_time(rtc);

	return stamp_normal(host.s + rtc->offset.s, host.ns + rtc->offset.ns);
}

DATA_PATH static bool divider_stands(const struct rtc *rtc)
{
	return (rtc->cell[CELL_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

DATA_PATH static bool stands(const struct rtc *rtc)
{
	return (rtc->cell[CELL_B] & B_SET) || divider_stands(rtc);
}

DATA_PATH static uint8_t encode(const struct rtc *rtc, int value)
{
	if (rtc->cell[CELL_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

DATA_PATH static int decode(const struct rtc *rtc, uint8_t value)
{
	return rtc->cell[CELL_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 0x0f);
}

DATA_PATH static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	if (rtc->cell[CELL_B] & B_24H)
		return encode(rtc, hour);
	return (uint8_t)(encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0));
}

DATA_PATH static int decode_hour(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cell[CELL_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Let the time cells show @s. */
static void cells_fill_locked(struct rtc *rtc, int64_t s)
{
	struct tm tm;
	time_t t = (time_t)s;
	int year;

	/* Fails only for years that do not fit an int, which no cell can have asked for. */
	if (!gmtime_r(&t, &tm))
		return;
	/* Nonsense in the cells can mean a year before 0, which the cells cannot show. */
	year = (tm.tm_year + 1900) % 10000;
	year += year < 0 ? 10000 : 0;
	rtc->cell[CELL_SECONDS] = encode(rtc, tm.tm_sec);
	rtc->cell[CELL_MINUTES] = encode(rtc, tm.tm_min);
	rtc->cell[CELL_HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->cell[CELL_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->cell[CELL_DAY] = encode(rtc, tm.tm_mday);
	rtc->cell[CELL_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->cell[CELL_YEAR] = encode(rtc, year % 100);
	rtc->cell[RTC_CENTURY] = encode(rtc, year / 100);
}

/* What the time cells say. Anything is possible in them; timegm() makes a time of it. */
static int64_t cells_time_locked(const struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->cell[CELL_SECONDS]),
		.tm_min = decode(rtc, rtc->cell[CELL_MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->cell[CELL_HOURS]),
		.tm_mday = decode(rtc, rtc->cell[CELL_DAY]),
		.tm_mon = decode(rtc, rtc->cell[CELL_MONTH]) - 1,
		.tm_year = decode(rtc, rtc->cell[RTC_CENTURY]) * 100 +
			   decode(rtc, rtc->cell[CELL_YEAR]) - 1900,
	};

	return (int64_t)timegm(&tm);
}

/* From now on the guest's time is @s and @ns. */
static void set_time_locked(struct rtc *rtc, int64_t s, int64_t ns)
{
	struct stamp host = host_time(rtc);

	rtc->offset = stamp_normal(s - host.s, ns - host.ns);
	rtc->seen = (struct stamp){ s, ns };
}

static bool alarm_matches(const struct rtc *rtc, uint8_t alarm, int value, bool hour)
{
	if ((alarm & ALARM_ANY) == ALARM_ANY)
		return true;
	return (hour ? decode_hour(rtc, alarm) : decode(rtc, alarm)) == value;
}

/* The first second after @s in which the alarm goes off, or INT64_MAX. */
static int64_t next_alarm_locked(const struct rtc *rtc, int64_t s)
{
	const int64_t day = 86400;
	const int64_t end = s + day;

	for (s++; s <= end;) {
		int64_t second = (s % day + day) % day;

		if (!alarm_matches(rtc, rtc->cell[CELL_HOURS_ALARM], (int)(second / 3600), true))
			s += 3600 - second % 3600;
		else if (!alarm_matches(rtc, rtc->cell[CELL_MINUTES_ALARM], (int)(second / 60 % 60),
					false))
			s += 60 - second % 60;
		else if (!alarm_matches(rtc, rtc->cell[CELL_SECONDS_ALARM], (int)(second % 60),
					false))
			s++;
		else
			return s;
	}
	return INT64_MAX;
}

/* log2 of the crystal's cycles in one periodic interrupt, or -1 for none. */
static int period_shift(const struct rtc *rtc)
{
	unsigned rate = rtc->cell[CELL_A] & A_RATE;

	if (rate == 0)
		return -1;
	return (int)(rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t cycles(struct stamp t)
{
	/* 40 bits of seconds are enough for the years that cells can hold. */
	return t.s * CRYSTAL_HZ + t.ns * CRYSTAL_HZ / NS_PER_S;
}

/* Set the flags of what has happened since the last time. */
static void catch_up_locked(struct rtc *rtc)
{
	struct stamp now, seen = rtc->seen;
	int shift = period_shift(rtc);

	if (stands(rtc))
		return;
	now = guest_time_locked(rtc);
	rtc->seen = now;
	/* A host whose clock is set back makes nothing happen twice. */
	if (now.s < seen.s || (now.s == seen.s && now.ns < seen.ns))
		return;
	if (shift >= 0 && cycles(now) >> shift != cycles(seen) >> shift)
		rtc->cell[CELL_C] |= C_PF;
	if (now.s == seen.s)
		return;
	rtc->cell[CELL_C] |= C_UF;
	if (next_alarm_locked(rtc, seen.s) <= now.s)
		rtc->cell[CELL_C] |= C_AF;
}

/* The guest's time, in nanoseconds from now, of the next flag that will interrupt. */
static uint64_t next_event_locked(const struct rtc *rtc)
{
	uint8_t wanted = rtc->cell[CELL_B] & (uint8_t)~rtc->cell[CELL_C] & C_FLAGS;
	struct stamp now = rtc->seen;
	int shift = period_shift(rtc);
	int64_t next_s = INT64_MAX;
	uint64_t ns = UINT64_MAX;

	if (wanted & C_UF)
		next_s = now.s + 1;
	else if (wanted & C_AF)
		next_s = next_alarm_locked(rtc, now.s);
	if (next_s != INT64_MAX)
		ns = (uint64_t)((next_s - now.s) * NS_PER_S - now.ns);
	if ((wanted & C_PF) && shift >= 0) {
		int64_t cycle = cycles(now);
		int64_t left = ((cycle >> shift) + 1) * ((int64_t)1 << shift) - cycle;
		uint64_t left_ns = (uint64_t)(left * NS_PER_S / CRYSTAL_HZ + 1);

		ns = left_ns < ns ? left_ns : ns;
	}
	return ns;
}

/* Line and timer follow the registers. */
static void update_locked(struct rtc *rtc)
{
	bool level = rtc->cell[CELL_C] & rtc->cell[CELL_B] & C_FLAGS;
	uint64_t ns = stands(rtc) ? UINT64_MAX : next_event_locked(rtc);

	if (level != rtc->level) {
		rtc->level = level;
		irq_line_set(&rtc->irq, level);
	}
	if (ns == UINT64_MAX)
		dev_timer_set(rtc->timer, DEV_TIMER_NEVER);
	else
		dev_timer_set(rtc->timer, dev_clock_monotonic_ns(rtc->clock) + ns);
}

static void rtc_expired(void *opaque)
{
	struct rtc *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	catch_up_locked(rtc);
	update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static bool is_time_cell(uint8_t index)
{
	return index == RTC_CENTURY ||
	       (index <= CELL_YEAR && (index >= CELL_WEEKDAY || index % 2 == 0));
}

static uint8_t cell_read_locked(struct rtc *rtc)
{
	uint8_t index = rtc->index;
	uint8_t value;

	if (is_time_cell(index) && !stands(rtc))
		cells_fill_locked(rtc, guest_time_locked(rtc).s);
	value = rtc->cell[index];
	if (index == CELL_A && !stands(rtc) && guest_time_locked(rtc).ns >= NS_PER_S - UIP_NS)
		value |= A_UIP;
	if (index == CELL_C) {
		catch_up_locked(rtc);
		value = rtc->cell[CELL_C];
		if (value & rtc->cell[CELL_B] & C_FLAGS)
			value |= C_IRQF;
		rtc->cell[CELL_C] = 0;
		update_locked(rtc);
	}
	return value;
}

/* Registers A and B, which may stop and start the clock. */
static void control_write_locked(struct rtc *rtc, uint8_t index, uint8_t value)
{
	bool stood = stands(rtc);
	bool divider_stood = divider_stands(rtc);
	struct stamp now = guest_time_locked(rtc);

	catch_up_locked(rtc);
	if (!stood)
		cells_fill_locked(rtc, now.s);
	if (index == CELL_A) {
		rtc->cell[CELL_A] = value & (uint8_t)~A_UIP;
	} else {
		rtc->cell[CELL_B] = value;
		/* SET switches the update interrupt off. */
		if (value & B_SET)
			rtc->cell[CELL_B] &= (uint8_t)~B_UIE;
	}
	/* The divider starts in the middle of a second; SET leaves it running. */
	if (divider_stood && !divider_stands(rtc))
		set_time_locked(rtc, cells_time_locked(rtc), NS_PER_S / 2);
	else if (stood && !stands(rtc))
		set_time_locked(rtc, cells_time_locked(rtc), now.ns);
	update_locked(rtc);
}

static void cell_write_locked(struct rtc *rtc, uint8_t value)
{
	uint8_t index = rtc->index;

	if (index == CELL_A || index == CELL_B) {
		control_write_locked(rtc, index, value);
		return;
	}
	if (index == CELL_C || index == CELL_D)
		return;
	if (is_time_cell(index) && !stands(rtc)) {
		struct stamp now;

		catch_up_locked(rtc);
		now = guest_time_locked(rtc);
		cells_fill_locked(rtc, now.s);
		rtc->cell[index] = value;
		set_time_locked(rtc, cells_time_locked(rtc), now.ns);
	} else {
		/* What is over by now does not count for a new alarm. */
		catch_up_locked(rtc);
		rtc->cell[index] = value;
	}
	update_locked(rtc);
}

static uint64_t rtc_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct rtc *rtc = container_of(range, struct rtc, range);
	uint64_t value = 0xff; /* the index cannot be read back */

	pthread_mutex_lock(&rtc->lock);
	if (off == 1)
		value = cell_read_locked(rtc);
	else if (size == 2)
		value |= (uint64_t)cell_read_locked(rtc) << 8;
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

/* A 16-bit write sets the index and the cell, as on a PC. */
static void rtc_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct rtc *rtc = container_of(range, struct rtc, range);

	pthread_mutex_lock(&rtc->lock);
	if (off == 0) {
		rtc->index = value % CELLS; /* bit 7 masks NMIs, which nobody sends */
		value >>= 8;
	}
	if (off == 1 || size == 2)
		cell_write_locked(rtc, (uint8_t)value);
	pthread_mutex_unlock(&rtc->lock);
}

static const struct io_ops rtc_io_ops = { .read = rtc_read, .write = rtc_write };

static void put_cells(struct rtc *rtc, unsigned index, unsigned bytes, uint64_t value)
{
	uint64_t max = ((uint64_t)1 << (8 * bytes)) - 1;

	if (value > max)
		value = max;
	for (unsigned i = 0; i < bytes; i++)
		rtc->cell[index + i] = (uint8_t)(value >> (8 * i));
}

static void put_memory_size(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g)
{
	const uint64_t mib = 1 << 20, kib = 1 << 10;
	uint64_t ext = below_4g > mib ? below_4g - mib : 0;

	put_cells(rtc, CELL_BASE_KIB, 2, 640);
	put_cells(rtc, CELL_EXT_KIB, 2, ext / kib);
	put_cells(rtc, CELL_EXT_KIB_POST, 2, ext / kib);
	put_cells(rtc, CELL_EXT_64KIB, 2,
		  below_4g > 16 * mib ? (below_4g - 16 * mib) / (64 * kib) : 0);
	put_cells(rtc, CELL_HIGH_64KIB, 3, above_4g / (64 * kib));
}

struct rtc *rtc_new(const struct rtc_config *config, GError **error)
{
	struct rtc *rtc = g_new(struct rtc, 1);

	*rtc = (struct rtc){
		.range = { .ops = &rtc_io_ops, .base = RTC_PORT, .len = RTC_PORTS, .name = "rtc" },
		.irq = config->irq,
		.clock = config->clock,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.cell = { [CELL_A] = A_DIVIDER_RUNS | 6, [CELL_B] = B_24H, [CELL_D] = D_VALID },
	};
	put_memory_size(rtc, config->ram_below_4g, config->ram_above_4g);
	put_cells(rtc, CELL_OTHER_CPUS, 1, config->other_cpus);
	rtc->seen = guest_time_locked(rtc);
	rtc->timer = dev_timer_new(rtc->clock, rtc_expired, rtc);
	if (!io_space_add(config->pio, &rtc->range, error)) {
		rtc_free(rtc);
		return NULL;
	}
	rtc->pio = config->pio;
	return rtc;
}

void rtc_free(struct rtc *rtc)
{
	if (!rtc)
		return;
	if (rtc->pio)
		io_space_remove(rtc->pio, &rtc->range);
	dev_timer_free(rtc->timer);
	pthread_mutex_destroy(&rtc->lock);
	g_free(rtc);
}

void rtc_reset(struct rtc *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	catch_up_locked(rtc);
	rtc->cell[CELL_B] &= (uint8_t) ~(B_UIE | B_AIE | B_PIE);
	rtc->cell[CELL_C] = 0;
	rtc->index = 0;
	update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}
