# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - what dev and its helpers share; read with '.', needs bash

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/socle/guest

fail() {
	echo "$me: $*" >&2
	exit 1
}

note() {
	echo "== $*" >&2
}

# What a package is needed for, and how to tell that it is there: a command, a pkg-config module or
# a file. This way a machine whose packages have other names is not told to install anything.
have() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	file:*) [ -e "${1#file:}" ] ;;
	py:*) python3 -c "import ${1#py:}" 2>/dev/null ;;
	esac
}

# need PACKAGE=PROBE...: install the packages whose probe fails
need() {
	local item missing=()
	for item in "$@"; do
		have "${item#*=}" || missing+=("${item%%=*}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		fail "missing on this machine; as root: apt-get install ${missing[*]}"
	fi
	note "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2 </dev/null || {
		apt-get update -qq >&2
		apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2 </dev/null
	} || fail "cannot install ${missing[*]}; see the messages of apt-get above"
}

# want PACKAGE=PROBE...: as need, but go on without what cannot be had
want() {
	local item missing=()
	for item in "$@"; do
		have "${item#*=}" || missing+=("${item%%=*}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] || ! (need "$@"); then
		note "without ${missing[*]} some tests are skipped"
	fi
}

# fetch PACKAGE: leave the package's .deb in the current folder, without installing anything
fetch() {
	local get=(apt-get download -qq -o APT::Sandbox::User=root "$1")
	"${get[@]}" 2>/dev/null && return
	# Lists that are too old name files which are gone.
	if [ "$(id -u)" = 0 ]; then
		apt-get update -qq >&2 && "${get[@]}" && return
	fi
	return 1
}

# static_busybox: print where one is; the package's file, not installed, if there is none
static_busybox() {
	local busybox=${BUSYBOX:-$(command -v busybox || true)} deb
	if [ -n "$busybox" ] && ! ldd "$busybox" >/dev/null 2>&1; then
		echo "$busybox"
		return
	fi
	# Debian's two busybox packages exclude each other: take the file, leave the system alone.
	if [ ! -x "$cache/busybox" ]; then
		mkdir -p "$cache"
		deb=$(mktemp -d)
		if ! (cd "$deb" && fetch busybox-static); then
			rm -rf "$deb"
			fail "there is no static busybox; install busybox-static or set BUSYBOX"
		fi
		dpkg-deb --fsys-tarfile "$deb"/*.deb | tar -x -C "$deb"
		mv "$(find "$deb" -path '*/bin/busybox' -type f)" "$cache/busybox"
		rm -rf "$deb"
	fi
	echo "$cache/busybox"
}

# keep_newest COUNT FOLDER...: those that were touched last stay, the others are removed
keep_newest() {
	local count=$1 folder
	shift
	find "$@" -maxdepth 0 -type d -printf '%T@ %p\n' | sort -rn | tail -n "+$((count + 1))" | cut -d' ' -f2- |
		while IFS= read -r folder; do
			rm -rf "$folder"
		done
}
