/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h - the devices of a domain, as its XML has them
 *
 * Structs mirror elements: disk.target.bus is <disk><target bus=/></disk>. Texts are NULL if absent,
 * enums 0, numbers not set. A member named kept_x is the element <x> as text: it is not understood,
 * and given back. What the step check decides about a device stands in its struct device_info.
 */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include "model/disk.h"
#include "model/interface.h"

enum {
	DEVICES_MAX = 256 /* of one kind */
};

/* --- serial, parallel, console, channel --- */

enum char_type {
	CHAR_ABSENT,
	CHAR_PTY,
	CHAR_FILE,
	CHAR_UNIX,
	CHAR_TCP,
	CHAR_NULL,
	CHAR_STDIO,
	CHAR_VC,
	CHAR_DEV,
	CHAR_PIPE,
	CHAR_UDP,
	CHAR_SPICEVMC,
	CHAR_SPICEPORT,
	CHAR_NMDM,
	CHAR_VDAGENT,
	CHAR_DBUS,
	CHAR_COUNT
};

struct char_source {
	char *mode, *path, *host, *service, *channel, *master, *slave;
	enum tristate append, tls;
	char *kept_reconnect, *kept_seclabel, *kept_clipboard, *kept_mouse;
};

struct char_protocol {
	char *type;
};

struct char_model {
	char *name;
};

struct char_target {
	char *type, *name, *state, *address;
	struct number port;
	struct char_model model;
};

struct char_log {
	char *file;
	enum tristate append;
};

struct domain_char {
	enum char_type type;
	char *tty; /* of a running machine */
	struct char_protocol protocol;
	struct char_source *sources; /* two for UDP */
	unsigned source_count;
	struct char_log log;
	struct char_target target;
	struct device_info info;
};

/* --- graphics and video --- */

enum graphics_type {
	GRAPHICS_ABSENT,
	GRAPHICS_VNC,
	GRAPHICS_SPICE,
	GRAPHICS_SDL,
	GRAPHICS_RDP,
	GRAPHICS_DESKTOP,
	GRAPHICS_EGL_HEADLESS,
	GRAPHICS_DBUS,
	GRAPHICS_COUNT
};

struct graphics_listen {
	char *type, *address, *network, *socket;
};

struct domain_graphics {
	enum graphics_type type;
	struct number port, tls_port, websocket;
	enum tristate autoport;
	char *listen, *socket, *keymap, *passwd, *passwd_valid_to, *connected, *share_policy,
		*default_mode, *display, *xauth, *address;
	enum tristate fullscreen, multi_user, replace_user, power_control, p2p;
	struct graphics_listen *listens;
	unsigned listen_count;
	char *kept_gl, *kept_channel, *kept_image, *kept_jpeg, *kept_zlib, *kept_playback,
		*kept_streaming, *kept_clipboard, *kept_mouse, *kept_filetransfer, *kept_audio;
	struct device_info info;
};

struct video_resolution {
	struct number x, y;
};

struct video_model {
	char *type;
	struct number ram, vram, vram64, vgamem, heads;
	enum tristate primary, blob, edid;
	struct video_resolution resolution;
	char *kept_acceleration;
};

struct domain_video {
	struct video_model model;
	char *kept_driver;
	struct device_info info;
};

/* --- the others --- */

struct domain_input {
	char *type, *bus, *model;
	char *kept_driver, *kept_source;
	struct device_info info;
};

struct domain_sound {
	char *model;
	enum tristate multichannel;
	struct number streams;
	char *kept_codec, *kept_audio, *kept_driver;
	struct device_info info;
};

struct domain_audio {
	struct number id;
	char *type, *timer_period, *driver, *path, *server_name, *runtime_dir, *dev;
	char *kept_input, *kept_output;
};

struct balloon_stats {
	struct number period;
};

struct domain_memballoon {
	char *model;
	enum tristate autodeflate, free_page_reporting;
	struct balloon_stats stats;
	char *kept_driver;
	struct device_info info;
};

struct rng_rate {
	struct number bytes, period;
};

struct rng_backend {
	char *model, *type, *path;
	char *kept_source, *kept_protocol;
};

struct domain_rng {
	char *model;
	struct rng_rate rate;
	struct rng_backend backend;
	char *kept_driver;
	struct device_info info;
};

struct domain_watchdog {
	char *model, *action;
	struct device_info info;
};

struct vsock_cid {
	enum tristate automatic;
	struct number address;
};

struct domain_vsock {
	char *model;
	struct vsock_cid cid;
	char *kept_driver;
	struct device_info info;
};

struct domain_panic {
	char *model;
	struct device_info info;
};

struct tpm_backend {
	char *type, *version, *debug;
	enum tristate persistent_state;
	char *kept_device, *kept_encryption, *kept_active_pcr_banks, *kept_source, *kept_profile;
};

struct domain_tpm {
	char *model;
	struct tpm_backend backend;
	struct device_info info;
};

struct domain_devices {
	char *emulator;
	struct domain_disk *disks;
	unsigned disk_count;
	struct domain_controller *controllers;
	unsigned controller_count;
	struct domain_interface *interfaces;
	unsigned interface_count;
	struct domain_char *serials, *parallels, *consoles, *channels;
	unsigned serial_count, parallel_count, console_count, channel_count;
	struct domain_input *inputs;
	unsigned input_count;
	struct domain_tpm *tpms;
	unsigned tpm_count;
	struct domain_graphics *graphics;
	unsigned graphics_count;
	struct domain_sound *sounds;
	unsigned sound_count;
	struct domain_audio *audios;
	unsigned audio_count;
	struct domain_video *videos;
	unsigned video_count;
	struct domain_watchdog *watchdogs;
	unsigned watchdog_count;
	struct domain_memballoon *memballoons; /* one at most */
	unsigned memballoon_count;
	struct domain_rng *rngs;
	unsigned rng_count;
	struct domain_panic *panics;
	unsigned panic_count;
	struct domain_vsock *vsocks; /* one at most */
	unsigned vsock_count;
	/* Kinds that no machine here has. */
	char *kept_filesystem, *kept_hostdev, *kept_redirdev, *kept_redirfilter, *kept_smartcard,
		*kept_hub, *kept_memory, *kept_shmem, *kept_iommu, *kept_nvram, *kept_lease,
		*kept_crypto, *kept_pstore;
};

#endif
