# SPDX-License-Identifier: GPL-2.0-or-later
"""debian.py - a Debian guest that runs one command at a time, and what each costs the host

The guest is the image of tools/guest-image, without systemd: its first process is a shell that
reads commands from the serial port. CPU time of the host is split into that of the threads that
execute the guest and that of all others, which is what devices cost.
"""
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import common

# Reads commands to the end of a line; tells the end of each with its status.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
echo 0 >/proc/sys/kernel/printk
ip link set lo up
stty -echo -onlcr
echo BENCH-UP
while read -r line; do
	eval "$line" </dev/null
	echo "BENCH-END $?"
done
"""
TICK = os.sysconf("SC_CLK_TCK")
VCPU = re.compile(r"vcpu|CPU \d+/TCG")


def make_disk(folder):
    """A copy of the image's disk whose /bench is INIT; (disk, the image's folder)."""
    image = pathlib.Path(common.output(str(common.ROOT / "tools/guest-image"), "debian"))
    disk, script = folder / "disk.img", folder / "bench.sh"
    common.output("cp", "--sparse=always", "--reflink=auto", str(image / "disk.img"), str(disk))
    script.write_text(INIT)
    subprocess.run(["debugfs", "-w", "-f", "-", f"{disk}?offset={1 << 20}"], check=True, text=True,
                   input=f"write {script} bench\nset_inode_field bench mode 0100755\n",
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return disk, image


class Cost:
    """CPU seconds of a machine up to now."""

    def __init__(self, pid):
        # The clock of a whole process, also of its threads that have ended (linux/posix-timers.h).
        self.all = time.clock_gettime((~pid << 3) | 2)
        self.engine = 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if VCPU.search((task / "comm").read_text()):
                words = (task / "stat").read_text().rpartition(")")[2].split()
                self.engine += (int(words[11]) + int(words[12])) / TICK

    def since(self, before):
        """(seconds in the engine, seconds elsewhere)"""
        engine = self.engine - before.engine
        return engine, self.all - before.all - engine


class Hung(Exception):
    """A machine did not answer in time, or has ended."""


class Guest:
    """A machine that has booted to INIT."""

    def __init__(self, command, limit=300, prefix=()):
        self.command = command
        self.process = subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.limit = limit
        try:
            self._read("BENCH-UP")
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()

    def _read(self, word):
        """The output before a line with the word, and the rest of that line."""
        lines = []
        limit = threading.Timer(self.limit, self.process.kill)  # a guest may hang
        limit.start()
        try:
            for line in self.process.stdout:
                text = line.decode(errors="replace").strip()
                before, found, after = text.partition(word)
                if found:
                    return "\n".join(lines), after.strip()
                lines.append(text)
        finally:
            limit.cancel()
        raise Hung(f"'{self.command[0]}' did not say {word}:\n" + "\n".join(lines[-10:]))

    def run(self, command):
        """Run a line of shell; (its output, CPU seconds in the engine, CPU seconds elsewhere)."""
        before = Cost(self.process.pid)
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        text, status = self._read("BENCH-END")
        if status != "0":
            common.fail(f"'{command}' ended with {status} in the guest:\n{text[-600:]}")
        return text, *Cost(self.process.pid).since(before)


def measure_patiently(name, measure):
    """measure(name); once more if a machine hangs, which is told."""
    try:
        return measure(name)
    except Hung as hung:
        print(f"{name}: {hung}; once more", file=sys.stderr)
    try:
        return measure(name)
    except Hung as hung:
        common.fail(f"{name}: {hung}")


def compare(title, count, names, jobs, measure):
    """Machines take turns: measure(name) gives a result for each job from one life of a machine."""
    runs = {(name, job): [] for name in names for job in jobs}
    for _ in range(count):
        for name in names:
            for job, result in zip(jobs, measure_patiently(name, measure)):
                runs[name, job].append(result)
    common.compare_table(title, names, jobs, runs)


def command(machine, image, cpus, memory=1024):
    """What starts a machine without a disk or a card: 'socle-ENGINE' or QEMU."""
    append = "console=ttyS0 root=/dev/vda1 ro quiet init=/bench net.ifnames=0"
    kernel = ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd"), "-append", append]
    if machine.startswith("socle-"):
        return [common.SOCLE_VM, "--engine", machine[6:], "--memory", f"{memory}M",
                "--cpus", str(cpus), *(re.sub(r"^-(?=\w)", "--", word) for word in kernel)]
    return ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-name", "bench,debug-threads=on", "-m", str(memory), "-smp", str(cpus), "-nodefaults",
            "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot", *kernel]
