# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib-image.sh - files out of the image that guest-image makes; read with '.' behind lib.sh
#
# $disk is that image, $root the folder that the files go to.

# from_image FILE TARGET: a file of the Debian image, which may be a link
from_image() {
	local file=$1 link
	while link=$(debugfs -R "stat $file" "$disk" 2>/dev/null |
		sed -n 's/^Fast link dest: "\(.*\)"/\1/p') && [ -n "$link" ]; do
		case $link in
		/*) file=$link ;;
		*) file=${file%/*}/$link ;;
		esac
	done
	mkdir -p "$root${2%/*}"
	debugfs -R "dump -p $file $root$2" "$disk" >/dev/null 2>&1
	[ -s "$root$2" ] || fail "there is no '$1' in '$disk'"
}

# program_from_image FILE: with the libraries that it needs, and theirs
program_from_image() {
	local library
	[ -e "$root$1" ] || from_image "$1" "$1"
	for library in $(objdump -p "$root$1" | awk '$1 == "NEEDED" { print $2 }'); do
		[ -e "$root/usr/lib/x86_64-linux-gnu/$library" ] ||
			program_from_image "/usr/lib/x86_64-linux-gnu/$library"
	done
}

# modules_from_image MODULE...: with those that they need, which come last in modules.dep
modules_from_image() {
	local name file modules
	modules=/usr/lib/modules/$(debugfs -R 'ls -p /usr/lib/modules' "$disk" 2>/dev/null |
		awk -F/ '$6 ~ /^[0-9]/ { print $6 }')
	from_image "$modules/modules.dep" "$modules/modules.dep"
	for name in "$@"; do
		sed -n "/\/$name\.ko:/s/://p" "$root$modules/modules.dep" | tr ' ' '\n' |
			while read -r file; do
				[ -e "$root$modules/$file" ] || from_image "$modules/$file" "$modules/$file"
			done
	done
}
