/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-device.c - where the members of all other devices stand in XML
 */
#include "model/device.h"
#include "model/fields-int.h"

const char *const char_type_names[] = {
	NULL,   "pty", "file",     "unix",      "tcp",  "null",         "stdio", "vc", "dev",
	"pipe", "udp", "spicevmc", "spiceport", "nmdm", "qemu-vdagent", "dbus",  NULL,
};
static_assert(ARRAY_SIZE(char_type_names) == CHAR_COUNT + 1, "a name for each, and NULL");

const char *const graphics_type_names[] = {
	NULL, "vnc", "spice", "sdl", "rdp", "desktop", "egl-headless", "dbus", NULL,
};
static_assert(ARRAY_SIZE(graphics_type_names) == GRAPHICS_COUNT + 1, "a name for each, and NULL");

#define T char_source
static const struct field source_fields[] = {
	F_TEXT("@mode", mode),
	F_TEXT("@path", path),
	F_TEXT("@host", host),
	F_TEXT("@service", service),
	F_TEXT("@channel", channel),
	F_TEXT("@master", master),
	F_TEXT("@slave", slave),
	F_ENUM("@append", append, on_off_names),
	F_ENUM("@tls", tls, yes_no_names),
	F_KEEP("reconnect", kept_reconnect),
	F_KEEP("seclabel", kept_seclabel),
	F_KEEP("clipboard", kept_clipboard),
	F_KEEP("mouse", kept_mouse),
};
#undef T
static const struct record source_record = RECORD(char_source, source_fields);

#define T char_protocol
static const struct field protocol_fields[] = { F_TEXT("@type", type) };
#undef T
static const struct record protocol_record = RECORD(char_protocol, protocol_fields);

#define T char_model
static const struct field model_fields[] = { F_TEXT("@name", name) };
#undef T
static const struct record model_record = RECORD(char_model, model_fields);

#define T char_target
static const struct field target_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("@name", name),
	F_TEXT_MARK("@state", state, FIELD_LIVE),
	F_TEXT("@address", address),
	F_NUM("@port", port, 0, UINT16_MAX),
	F_STRUCT("model", model, model_record),
};
#undef T
static const struct record target_record = RECORD(char_target, target_fields);

#define T char_log
static const struct field log_fields[] = {
	F_TEXT("@file", file),
	F_ENUM("@append", append, on_off_names),
};
#undef T
static const struct record log_record = RECORD(char_log, log_fields);

#define T domain_char
static const struct field char_fields[] = {
	F_ENUM("@type", type, char_type_names),
	F_TEXT_MARK("@tty", tty, FIELD_LIVE),
	F_LIST("source", sources, source_count, source_record, 2),
	F_STRUCT("protocol", protocol, protocol_record),
	F_STRUCT("log", log, log_record),
	F_STRUCT("target", target, target_record),
	F_INFO,
};
#undef T
const struct record char_record = RECORD(domain_char, char_fields);

#define T graphics_listen
static const struct field listen_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("@address", address),
	F_TEXT("@network", network),
	F_TEXT("@socket", socket),
};
#undef T
const struct record graphics_listen_record = RECORD(graphics_listen, listen_fields);

#define T domain_graphics
static const struct field graphics_fields[] = {
	F_ENUM("@type", type, graphics_type_names),
	F_NUM("@port", port, -1, 65535),
	F_NUM("@tlsPort", tls_port, -1, 65535),
	F_ENUM("@autoport", autoport, yes_no_names),
	F_NUM("@websocket", websocket, -1, 65535),
	F_TEXT("@listen", listen),
	F_TEXT("@socket", socket),
	F_TEXT("@keymap", keymap),
	F_TEXT_MARK("@passwd", passwd, FIELD_SECRET),
	F_TEXT_MARK("@passwdValidTo", passwd_valid_to, FIELD_SECRET),
	F_TEXT("@connected", connected),
	F_TEXT("@sharePolicy", share_policy),
	F_TEXT("@defaultMode", default_mode),
	F_TEXT("@display", display),
	F_TEXT("@xauth", xauth),
	F_TEXT("@address", address),
	F_ENUM("@fullscreen", fullscreen, yes_no_names),
	F_ENUM("@multiUser", multi_user, yes_no_names),
	F_ENUM("@replaceUser", replace_user, yes_no_names),
	F_ENUM("@powerControl", power_control, yes_no_names),
	F_ENUM("@p2p", p2p, yes_no_names),
	F_LIST("listen", listens, listen_count, graphics_listen_record, DEVICES_MAX),
	F_KEEP("gl", kept_gl),
	F_KEEP("channel", kept_channel),
	F_KEEP("image", kept_image),
	F_KEEP("jpeg", kept_jpeg),
	F_KEEP("zlib", kept_zlib),
	F_KEEP("playback", kept_playback),
	F_KEEP("streaming", kept_streaming),
	F_KEEP("clipboard", kept_clipboard),
	F_KEEP("mouse", kept_mouse),
	F_KEEP("filetransfer", kept_filetransfer),
	F_KEEP("audio", kept_audio),
};
#undef T
const struct record graphics_record = RECORD(domain_graphics, graphics_fields);

#define T video_resolution
static const struct field resolution_fields[] = {
	F_NUM("@x", x, 1, 16384),
	F_NUM("@y", y, 1, 16384),
};
#undef T
static const struct record resolution_record = RECORD(video_resolution, resolution_fields);

#define T video_model
static const struct field video_model_fields[] = {
	F_TEXT("@type", type),
	F_NUM("@ram", ram, 0, UINT32_MAX),
	F_NUM("@vram", vram, 0, UINT32_MAX),
	F_NUM("@vram64", vram64, 0, UINT32_MAX),
	F_NUM("@vgamem", vgamem, 0, UINT32_MAX),
	F_NUM("@heads", heads, 1, 64),
	F_ENUM("@primary", primary, yes_no_names),
	F_ENUM("@blob", blob, on_off_names),
	F_ENUM("@edid", edid, on_off_names),
	F_KEEP("acceleration", kept_acceleration),
	F_STRUCT("resolution", resolution, resolution_record),
};
#undef T
static const struct record video_model_record = RECORD(video_model, video_model_fields);

#define T domain_video
static const struct field video_fields[] = {
	F_KEEP("driver", kept_driver),
	F_STRUCT("model", model, video_model_record),
	F_INFO,
};
#undef T
const struct record video_record = RECORD(domain_video, video_fields);

#define T domain_input
static const struct field input_fields[] = {
	F_TEXT("@type", type),         F_TEXT("@bus", bus),           F_TEXT("@model", model),
	F_KEEP("driver", kept_driver), F_KEEP("source", kept_source), F_INFO,
};
#undef T
const struct record input_record = RECORD(domain_input, input_fields);

#define T domain_sound
static const struct field sound_fields[] = {
	F_TEXT("@model", model),
	F_ENUM("@multichannel", multichannel, yes_no_names),
	F_NUM("@streams", streams, 1, 64),
	F_KEEP("codec", kept_codec),
	F_KEEP("audio", kept_audio),
	F_KEEP("driver", kept_driver),
	F_INFO,
};
#undef T
const struct record sound_record = RECORD(domain_sound, sound_fields);

#define T domain_audio
static const struct field audio_fields[] = {
	F_NUM("@id", id, 1, UINT32_MAX),
	F_TEXT("@type", type),
	F_TEXT("@timerPeriod", timer_period),
	F_TEXT("@driver", driver),
	F_TEXT("@path", path),
	F_TEXT("@serverName", server_name),
	F_TEXT("@runtimeDir", runtime_dir),
	F_TEXT("@dev", dev),
	F_KEEP("input", kept_input),
	F_KEEP("output", kept_output),
};
#undef T
const struct record audio_record = RECORD(domain_audio, audio_fields);

#define T balloon_stats
static const struct field stats_fields[] = { F_NUM("@period", period, 0, INT32_MAX) };
#undef T
static const struct record stats_record = RECORD(balloon_stats, stats_fields);

#define T domain_memballoon
static const struct field memballoon_fields[] = {
	F_TEXT("@model", model),
	F_ENUM("@autodeflate", autodeflate, on_off_names),
	F_ENUM("@freePageReporting", free_page_reporting, on_off_names),
	F_STRUCT("stats", stats, stats_record),
	F_KEEP("driver", kept_driver),
	F_INFO,
};
#undef T
const struct record memballoon_record = RECORD(domain_memballoon, memballoon_fields);

#define T rng_rate
static const struct field rate_fields[] = {
	F_NUM("@bytes", bytes, 1, UINT32_MAX),
	F_NUM("@period", period, 1, UINT32_MAX),
};
#undef T
static const struct record rate_record = RECORD(rng_rate, rate_fields);

#define T rng_backend
static const struct field backend_fields[] = {
	F_TEXT("@model", model),
	F_TEXT("@type", type),
	F_TEXT("", path),
	F_KEEP("source", kept_source),
	F_KEEP("protocol", kept_protocol),
};
#undef T
static const struct record backend_record = RECORD(rng_backend, backend_fields);

#define T domain_rng
static const struct field rng_fields[] = {
	F_TEXT("@model", model),
	F_STRUCT("rate", rate, rate_record),
	F_STRUCT("backend", backend, backend_record),
	F_KEEP("driver", kept_driver),
	F_INFO,
};
#undef T
const struct record rng_record = RECORD(domain_rng, rng_fields);

#define T domain_watchdog
static const struct field watchdog_fields[] = {
	F_TEXT("@model", model),
	F_TEXT("@action", action),
	F_INFO,
};
#undef T
const struct record watchdog_record = RECORD(domain_watchdog, watchdog_fields);

#define T vsock_cid
static const struct field cid_fields[] = {
	F_ENUM("@auto", automatic, yes_no_names),
	F_NUM("@address", address, 3, UINT32_MAX),
};
#undef T
static const struct record cid_record = RECORD(vsock_cid, cid_fields);

#define T domain_vsock
static const struct field vsock_fields[] = {
	F_TEXT("@model", model),
	F_STRUCT("cid", cid, cid_record),
	F_KEEP("driver", kept_driver),
	F_INFO,
};
#undef T
const struct record vsock_record = RECORD(domain_vsock, vsock_fields);

#define T domain_panic
static const struct field panic_fields[] = { F_TEXT("@model", model), F_INFO };
#undef T
const struct record panic_record = RECORD(domain_panic, panic_fields);

#define T tpm_backend
static const struct field tpm_backend_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("@version", version),
	F_TEXT("@debug", debug),
	F_ENUM("@persistent_state", persistent_state, yes_no_names),
	F_KEEP("device", kept_device),
	F_KEEP("encryption", kept_encryption),
	F_KEEP("active_pcr_banks", kept_active_pcr_banks),
	F_KEEP("source", kept_source),
	F_KEEP("profile", kept_profile),
};
#undef T
static const struct record tpm_backend_record = RECORD(tpm_backend, tpm_backend_fields);

#define T domain_tpm
static const struct field tpm_fields[] = {
	F_TEXT("@model", model),
	F_STRUCT("backend", backend, tpm_backend_record),
	F_INFO,
};
#undef T
const struct record tpm_record = RECORD(domain_tpm, tpm_fields);
