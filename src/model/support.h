/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * support.h - what the machines of this host can have
 *
 * Who calls the steps knows the host, this room does not. The same struct makes the answer to
 * "domain capabilities" and judges definitions, so that clients are offered what is then accepted.
 */
#ifndef MODEL_SUPPORT_H
#define MODEL_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

struct support {
	const char *emulator; /* the path of socle-vm */
	bool kvm;             /* it runs stock kernels; the software engine always does */
	bool test;       /* this is the driver for tests: all is accepted that is well-formed */
	bool bios, uefi; /* firmware is installed */
	bool vnc;
	bool bridges;       /* interfaces of type bridge and network: taps may be made */
	bool networks;      /* libvirt networks exist here */
	bool pools;         /* volumes of storage pools exist here */
	unsigned max_vcpus; /* 0: DOMAIN_VCPUS_MAX */
};

#endif
