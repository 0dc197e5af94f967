#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run-guest.sh - run guestbench natively and in a guest, and print both with their ratio
#
# usage: run-guest.sh [options] KERNEL [WORKLOAD...]
#
#   KERNEL      a Linux kernel for x86-64 (bzImage), such as /boot/vmlinuz-VERSION of the package
#               linux-image-cloud-amd64. It needs a 16550 serial port and an initramfs, no modules.
#   WORKLOAD    names as `guestbench -l` lists them; default all
#   -s SCALE    multiply all iteration counts (default 1; 0.05 for a slow engine)
#   -n RUNS     native runs, the median counts (default 5)
#   -g RUNS     guest runs, the median counts (default 1)
#   -q QEMU     the emulator (default qemu-system-x86_64)
#   -a ARGS     its machine and CPU (default: -M microvm -accel tcg -cpu max -m 512)
#   -e COMMAND  another virtual machine monitor instead: a shell command that boots "$KERNEL" with
#               "$INITRD" and the command line "$APPEND", with the guest's serial port on its
#               standard output, and ends when the guest powers off. For instance
#               -e 'socle-vm --engine emu --kernel "$KERNEL" --initrd "$INITRD" --append "$APPEND"'
#   -p PARAMS   further kernel parameters
#   -k KHZ      frequency of the guest's TSC (default: that of this machine, measured; 0: let the
#               guest calibrate it, which can hang an emulated guest when the host is busy)
#   -w SECONDS  give up when the guest prints nothing for so long (default 300)
#   -t          print a table (Markdown) instead of JSON lines
#   -v          also print the result of each single run, on standard error
#
# Output: for each workload one JSON line:
#   native_cpu, native_seconds  CPU time and wall clock of the workload on this machine
#   guest_seconds               wall clock as the guest saw it
#   emulator_cpu                CPU time that all threads of the emulator used meanwhile, on the host
#   ratio                       emulator_cpu / native_cpu: the cost of the engine. Use this one.
#   wall_ratio                  guest_seconds / native_seconds: only of use on an idle host
#   check                       "equal", or "DIFFERENT": the engine computed something else
# The line named "boot" has the CPU time from the start of the emulator to the first process.
#
# Exit status: 0; 1 for an error, a guest that did not finish, or a check value that differs.
#
# Packages on Debian: gcc libc6-dev busybox-static cpio qemu-system-x86 linux-image-cloud-amd64.
# No privileges are needed if the kernel file can be read.
set -eu
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
scale=1 native_runs=5 guest_runs=1 silence=300 khz='' params='' table=0 verbose=0
qemu=qemu-system-x86_64 machine='-M microvm -accel tcg -cpu max -m 512' command=''

fail() {
	echo "run-guest.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '4,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
}

while getopts s:n:g:q:a:e:p:k:w:tvh opt; do
	case $opt in
	s) scale=$OPTARG ;;
	n) native_runs=$OPTARG ;;
	g) guest_runs=$OPTARG ;;
	q) qemu=$OPTARG ;;
	a) machine=$OPTARG ;;
	e) command=$OPTARG ;;
	p) params=$OPTARG ;;
	k) khz=$OPTARG ;;
	w) silence=$OPTARG ;;
	t) table=1 ;;
	v) verbose=1 ;;
	h) usage && exit 0 ;;
	*) fail "unknown option; -h tells what there is" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || fail "no kernel named; -h tells how to use this"
KERNEL=$1
shift
[ -r "$KERNEL" ] || fail "cannot read the kernel '$KERNEL'"

cpio=$(command -v cpio) || fail "there is no cpio; install the package cpio"
busybox=${BUSYBOX:-$(command -v busybox)} || fail "there is no busybox; install busybox-static"
if ldd "$busybox" >/dev/null 2>&1; then
	fail "'$busybox' is not static; install busybox-static or set BUSYBOX"
fi
if [ -z "$command" ]; then
	command -v "$qemu" >/dev/null || fail "there is no '$qemu'; install qemu-system-x86"
	# shellcheck disable=SC2016 # the variables are for the shell that runs the command
	command="$qemu $machine"' -display none -monitor none -serial stdio -no-reboot \
		-kernel "$KERNEL" -initrd "$INITRD" -append "$APPEND"'
fi

work=$(mktemp -d)
emulator=''
cleanup() {
	[ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# The same file runs on both sides. Flags: nothing that differs from one distribution to the next.
# shellcheck disable=SC2086 # CFLAGS is a list
${CC:-cc} -std=gnu11 -O2 -static -fno-pie -no-pie -ffp-contract=off -fcf-protection=none \
	${CFLAGS:-} -o "$work/guestbench" "$here/guestbench.c"
for name in "$@"; do
	"$work/guestbench" -l | grep -q "^$name " || fail "there is no workload '$name'"
done
[ -n "$khz" ] || khz=$("$work/guestbench" -k)

# The guest: busybox, guestbench, and a first process that runs it and powers off.
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/dev"
cp "$busybox" "$work/root/bin/busybox"
cp "$work/guestbench" "$work/root/guestbench"
cat >"$work/root/init" <<INIT
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
echo GUEST-UP
/guestbench -m -s $scale $*
/bin/busybox poweroff -f
INIT
chmod 755 "$work/root/init"
INITRD=$work/initrd.gz
(cd "$work/root" && find . | "$cpio" -o -H newc --quiet) | gzip -1 >"$INITRD"
APPEND="console=ttyS0 quiet panic=-1"
[ "$khz" = 0 ] || APPEND="$APPEND tsc_early_khz=$khz"
[ -z "$params" ] || APPEND="$APPEND $params"
export KERNEL INITRD APPEND

# cpu_ns PID: CPU time of all threads of a process, in nanoseconds. /proc/PID/schedstat is exact but
# not in every kernel; /proc/PID/stat is everywhere and counts in hundredths of a second.
cpu_ns() {
	local file ns rest sum=0
	for file in "/proc/$1/task/"*/schedstat; do
		if { read -r ns rest <"$file"; } 2>/dev/null; then
			sum=$((sum + ns))
		fi
	done
	if [ "$sum" = 0 ] && { read -r rest <"/proc/$1/stat"; } 2>/dev/null; then
		# After the name in parentheses, utime and stime are the 12th and 13th word.
		# shellcheck disable=SC2086
		set -- ${rest##*) }
		sum=$(((${12} + ${13}) * 10000000))
	fi
	echo "$sum"
}

run_guest() {
	local line start=0 now spent=0 finished=0 status
	mkfifo "$work/serial"
	sh -c "exec $command" >"$work/serial" 2>"$work/emulator.err" </dev/null &
	emulator=$!
	exec 3<"$work/serial"
	while true; do
		status=0
		IFS= read -r -t "$silence" line <&3 || status=$?
		[ $status = 0 ] || break
		now=$(cpu_ns "$emulator")
		line=${line%$'\r'}
		case $line in
		*GUEST-UP)
			printf '{"name":"boot","emulator_cpu":%d.%09d}\n' \
				$((now / 1000000000)) $((now % 1000000000))
			;;
		'{"begin":"'*)
			start=$now
			;;
		'{"end":"'*)
			spent=$((now - start))
			;;
		'{"name":"'*)
			printf '%s,"emulator_cpu":%d.%09d}\n' "${line%\}}" \
				$((spent / 1000000000)) $((spent % 1000000000))
			finished=$((finished + 1))
			;;
		guestbench:*)
			echo "in the guest: $line" >&2
			;;
		esac
	done
	exec 3<&-
	rm "$work/serial"
	# At the end of its output the emulator is about to end; after a time-out (status > 128) it is not.
	[ $status -le 128 ] || kill "$emulator" 2>/dev/null || true
	wait "$emulator" || true
	emulator=''
	if [ "$finished" -lt "$wanted" ]; then
		cat "$work/emulator.err" >&2
		echo "run-guest.sh: the guest stopped after $finished of $wanted workloads" >&2
	fi
}

if [ $# -gt 0 ]; then
	wanted=$#
else
	wanted=$("$work/guestbench" -l | wc -l)
fi
for ((i = 0; i < native_runs; i++)); do
	"$work/guestbench" -s "$scale" "$@" | tee -a "$work/native" >"$work/last"
	[ "$verbose" = 0 ] || sed 's/^/native: /' "$work/last" >&2
done
for ((i = 0; i < guest_runs; i++)); do
	run_guest >"$work/last"
	cat "$work/last" >>"$work/guest"
	[ "$verbose" = 0 ] || sed 's/^/guest: /' "$work/last" >&2
done

# Medians, ratios, output.
awk -v table="$table" -v wanted="$wanted" '
function field(key,    at) {
	at = index($0, "\"" key "\":")
	if (!at)
		return ""
	at = substr($0, at + length(key) + 3)
	sub(/[,}].*/, "", at)
	gsub(/"/, "", at)
	return at
}
# the median of the values stored as values[key, 1..count[key]]
function median(key,    n, i, j, t, v) {
	n = count[key]
	for (i = 1; i <= n; i++)
		v[i] = values[key, i]
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
			t = v[j]
			v[j] = v[j - 1]
			v[j - 1] = t
		}
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function add(key, value) {
	if (value != "")
		values[key, ++count[key]] = value + 0
}
function ratio(a, b) {
	return b > 0 ? sprintf("%.2f", a / b) : "null"
}
{
	side = FILENAME ~ /native$/ ? "native" : "guest"
	name = field("name")
	if (!(name in seen)) {
		seen[name] = 1
		order[++names] = name
	}
	if (field("skipped") != "")
		skipped[name] = side ": " field("skipped")
	add(side " seconds " name, field("seconds"))
	add(side " cpu " name, side == "native" ? field("cpu") : field("emulator_cpu"))
	if (field("iterations") != "")
		iterations[name] = field("iterations")
	if (field("check") == "")
		next
	if (side == "native" && !(name in check))
		check[name] = field("check")
	else if (check[name] != field("check"))
		differs[name] = 1
	if (side == "guest")
		done[name] = 1
}
END {
	if (table)
		print "| workload | iterations | native CPU s | emulator CPU s | ratio" \
			" | native wall s | guest wall s | wall ratio | check |\n" \
			"|---|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= names; i++) {
		name = order[i]
		if (name == "boot")
			continue
		if (name in skipped) {
			printf table ? "| %s | skipped: %s |\n" : \
				"{\"name\":\"%s\",\"skipped\":\"%s\"}\n", name, skipped[name]
			continue
		}
		if (!(name in done)) {
			bad = 1
			continue
		}
		finished++
		nc = median("native cpu " name)
		ns = median("native seconds " name)
		gc = median("guest cpu " name)
		gs = median("guest seconds " name)
		if (name in differs)
			bad = 1
		printf table ? "| %s | %s | %.4f | %.3f | %s | %.4f | %.3f | %s | %s |\n" : \
			"{\"name\":\"%s\",\"iterations\":%s,\"native_cpu\":%.6f," \
			"\"emulator_cpu\":%.6f,\"ratio\":%s,\"native_seconds\":%.6f," \
			"\"guest_seconds\":%.6f,\"wall_ratio\":%s,\"check\":\"%s\"}\n", \
			name, iterations[name], nc, gc, ratio(gc, nc), ns, gs, ratio(gs, ns), \
			name in differs ? "DIFFERENT" : "equal"
	}
	if ("boot" in seen)
		printf table ? "| boot | | | %.3f | | | | | |\n" : \
			"{\"name\":\"boot\",\"emulator_cpu\":%.6f}\n", median("guest cpu boot")
	exit bad ? 1 : 0
}' "$work/native" "$work/guest"
