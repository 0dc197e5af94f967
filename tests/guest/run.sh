#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - run a bare-metal guest and compare what it prints with its golden log
#
# usage: run.sh SOCLE-VM GUEST GOLDEN ENGINE KVM [OPTION...]
#
# KVM says where the kvm engine can run this guest: "any" host with KVM, or "hardware": only where
# KVM can run a stock kernel, which it tells itself. A software flavour of KVM cannot, and lacks
# instructions that such a guest uses in ring 0.
# REGENERATE=1 writes what the emu engine printed as the golden log.
set -eu

vm=$1 guest=$2 golden=$3 engine=$4 kvm=$5
shift 5
if [ "$engine" = kvm ]; then
	kvm_line=$("$vm" --engine list | grep '^kvm ') || true
	case $kvm_line in
	*' can run stock kernels'*) can_run=hardware ;;
	*' cannot run stock kernels'*) can_run=any ;;
	*) can_run=nothing ;;
	esac
	if [ "$can_run" = nothing ] || { [ "$kvm" = hardware ] && [ "$can_run" = any ]; }; then
		echo "${kvm_line:-this socle-vm does not tell what KVM can do}"
		exit 77
	fi
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0
timeout 120 "$vm" --engine "$engine" --debug-exit --no-reboot --serial "file=$dir/log" \
	--kernel "$guest" "$@" </dev/null 2>"$dir/err" || status=$?
if [ "$engine" = emu ] && [ "${REGENERATE:-}" = 1 ]; then
	cp "$dir/log" "$golden"
fi
if ! diff -u "$golden" "$dir/log"; then
	cat "$dir/err" >&2
	echo "the guest's log differs from '$golden'" >&2
	exit 1
fi
# The guest leaves by the debug-exit port with 0: (0 << 1) | 1.
if [ "$status" != 1 ]; then
	cat "$dir/err" >&2
	echo "the guest ended with status $status" >&2
	exit 1
fi
