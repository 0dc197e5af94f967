/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codes.h - numbers in errors of the protocol: what went wrong, and in which part
 *
 * They are libvirt's; clients compare them. Only those that are in use somewhere stand here.
 */
#ifndef RPC_CODES_H
#define RPC_CODES_H

enum rpc_code {
	RPC_CODE_INTERNAL = 1,
	RPC_CODE_NO_SUPPORT = 3,
	RPC_CODE_NO_CONNECT = 5,
	RPC_CODE_INVALID_ARG = 8,
	RPC_CODE_OPERATION_FAILED = 9,
	RPC_CODE_XML_ERROR = 27,
	RPC_CODE_DOM_EXIST = 28,
	RPC_CODE_OPERATION_DENIED = 29,
	RPC_CODE_SYSTEM_ERROR = 38,
	RPC_CODE_RPC = 39,
	RPC_CODE_NO_DOMAIN = 42,
	RPC_CODE_NO_NETWORK = 43,
	RPC_CODE_AUTH_FAILED = 45,
	RPC_CODE_NO_STORAGE_POOL = 49,
	RPC_CODE_NO_STORAGE_VOL = 50,
	RPC_CODE_NO_NODE_DEVICE = 53,
	RPC_CODE_OPERATION_INVALID = 55,
	RPC_CODE_NO_INTERFACE = 57,
	RPC_CODE_NO_NWFILTER = 62,
	RPC_CODE_INVALID_SECRET = 65,
	RPC_CODE_NO_SECRET = 66,
	RPC_CODE_CONFIG_UNSUPPORTED = 67,
	RPC_CODE_OPERATION_TIMEOUT = 68,
	RPC_CODE_NO_DOMAIN_SNAPSHOT = 72,
	RPC_CODE_OPERATION_ABORTED = 78,
	RPC_CODE_AUTH_CANCELLED = 79,
	RPC_CODE_NO_DOMAIN_METADATA = 80,
	RPC_CODE_OPERATION_UNSUPPORTED = 84,
	RPC_CODE_AGENT_UNRESPONSIVE = 86,
	RPC_CODE_RESOURCE_BUSY = 87,
	RPC_CODE_ACCESS_DENIED = 88,
	RPC_CODE_STORAGE_VOL_EXIST = 90,
	RPC_CODE_CPU_INCOMPATIBLE = 91,
	RPC_CODE_AUTH_UNAVAILABLE = 94,
	RPC_CODE_DEVICE_MISSING = 99,
	RPC_CODE_NO_DOMAIN_CHECKPOINT = 103,
	RPC_CODE_NO_NETWORK_PORT = 107,
	RPC_CODE_NO_NETWORK_METADATA = 111,
};

/* Scripts compare RPC_FROM_QEMU: errors of domains come from there. */
enum rpc_from {
	RPC_FROM_XML = 5,
	RPC_FROM_RPC = 7,
	RPC_FROM_QEMU = 10,
	RPC_FROM_REMOTE = 13,
	RPC_FROM_STORAGE = 18,
	RPC_FROM_NETWORK = 19,
	RPC_FROM_DOMAIN = 20,
	RPC_FROM_NODEDEV = 22,
	RPC_FROM_INTERFACE = 26,
	RPC_FROM_SECRET = 30,
	RPC_FROM_CPU = 31,
	RPC_FROM_NWFILTER = 33,
	RPC_FROM_DOMAIN_SNAPSHOT = 35,
	RPC_FROM_STREAMS = 38,
	RPC_FROM_AUTH = 46,
	RPC_FROM_DOMAIN_CHECKPOINT = 69,
};

enum {
	RPC_LEVEL_ERROR = 2
};

/* What CONNECT_SUPPORTS_FEATURE is asked for. */
enum rpc_feature {
	RPC_FEATURE_KEEPALIVE = 10,
	RPC_FEATURE_EVENT_CALLBACKS = 14,
	RPC_FEATURE_CLOSE_CALLBACK = 15,
	/* Ours, far from libvirt's: STORAGE_VOL_UPLOAD and _DOWNLOAD take a file with RPC_VOL_BY_FD. */
	RPC_FEATURE_VOL_BY_FD = 1 << 16,
	/* The same: STORAGE_VOL_CREATE_XML knows RPC_VOL_BY_STREAM. */
	RPC_FEATURE_VOL_BY_STREAM = (1 << 16) + 1,
	/* The same: calls that fill a volume know RPC_VOL_NO_SYNC. */
	RPC_FEATURE_VOL_NO_SYNC = (1 << 16) + 2,
};

enum {
	/*
	 * A flag of ours of STORAGE_VOL_CREATE_XML_FROM, _UPLOAD, and _CREATE_XML with RPC_VOL_BY_STREAM: what
	 * is told as done need not be on the disk yet.
	 */
	RPC_VOL_NO_SYNC = 1 << 28,
	/*
	 * A flag of ours of STORAGE_VOL_CREATE_XML: the answer opens a stream of the volume's bytes, as that
	 * of STORAGE_VOL_UPLOAD does. The volume is there when the stream has been finished, and not at all
	 * if it ends otherwise.
	 */
	RPC_VOL_BY_STREAM = 1 << 29,
	/*
	 * Of calls that open such a stream: the call comes with a regular file, and the server copies from or
	 * to its position, which moves along. By the stream comes only the end of the data, and whoever gives
	 * up says so there.
	 */
	RPC_VOL_BY_FD = 1 << 30,
};

#endif
