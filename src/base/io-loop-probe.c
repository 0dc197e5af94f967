/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop-probe.c - does the host permit io_uring?
 *
 * Without liburing, which takes a tenth of a millisecond to load: who only asks does not need it.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/io-loop-int.h"
#include "base/sys.h"

int io_loop_try_uring(void)
{
	struct io_uring_params params = { 0 };
	autofd int fd = sys_uring_setup(1, &params);

	if (fd < 0)
		return fd;
	return (params.features & LOOP_URING_FEATURES) == LOOP_URING_FEATURES ? 0 : -ENOSYS;
}
