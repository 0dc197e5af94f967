/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-int.h - the disk that a client means
 */
#ifndef MANAGE_DISK_INT_H
#define MANAGE_DISK_INT_H

#include "manage/handler-int.h"

/* By target or path; -1: there is none. */
int disk_index(const struct domain *domain, const char *name);
/* Of what is shown of @vm; -1: there is none, and the call has failed. */
int call_disk(struct call *call, const struct vm *vm, const char *name);
/* A step of a change: the device at @info of the live definition is to be as it is there now. */
void tell_device(struct call *call, struct machine *machine, const struct device_info *info,
		 struct task *task);

#endif
