/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-own.h - what is Socle's own in a domain's <metadata>: templates, and what is made of them
 *
 *	<socle:domain xmlns:socle="urn:socle:domain">
 *	  <socle:template/>
 *	  <socle:linked path="/images/base.qcow2"/>
 *	</socle:domain>
 *
 * Threads: any.
 */
#ifndef MODEL_DOMAIN_OWN_H
#define MODEL_DOMAIN_OWN_H

#include <glib.h>
#include <stdbool.h>

#define DOMAIN_OWN_NAMESPACE "urn:socle:domain"

struct domain;

struct domain_own {
	bool is_template;  /* it is there to make machines of, and is not started */
	GPtrArray *linked; /* char *: images that its disks refer to, so that they must stay */
};

/* What cannot be read is nothing. */
void domain_own_read(const struct domain *domain, struct domain_own *ret);
/* Takes the place of what was there; what says nothing goes. */
void domain_own_write(struct domain *domain, const struct domain_own *own);
/* The element itself; NULL: nothing is said. g_free() it. */
char *domain_own_text(const struct domain_own *own);
void domain_own_release(struct domain_own *own);

bool domain_is_template(const struct domain *domain);
/* A disk of it refers to the image at @path. */
void domain_add_linked(struct domain *domain, const char *path);

#endif
