/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * define-int.h - definitions as they come from a client
 */
#ifndef MANAGE_DEFINE_INT_H
#define MANAGE_DEFINE_INT_H

#include "manage/vm-int.h"

/* @error is about a definition. */
void call_fail_xml(struct call *call, const GError *error);
/* Read, filled in and checked; NULL: the call has failed. */
struct domain *call_domain(struct call *call, const char *xml, bool strict);
/**
 * call_same() - the domain that @domain is another definition of
 * @ret_vm: NULL if it is a new one
 *
 * Return: false if another one has its name or its UUID: the call has failed
 */
bool call_same(struct call *call, const struct domain *domain, struct vm **ret_vm);

#endif
