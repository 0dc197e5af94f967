# SPDX-License-Identifier: GPL-2.0-or-later
"""common.py - the machines that the benchmarks compare, and how one run is measured"""
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOCLE_VM = os.environ.get("SOCLE_VM", str(ROOT / "build/bin/socle-vm"))


def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(1)


# Ctrl-C and kill alike unwind what is open here: a machine that runs, a temporary folder.
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)


def fail(text):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {text}")


def output(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        fail(f"'{command[0]}' failed; its message stands above")
    return result.stdout.strip()


class Work:
    """A temporary folder with a kernel, an initramfs and guestbench."""

    def __init__(self, kernel="cloud", init="check"):
        self._folder = tempfile.TemporaryDirectory(prefix="socle-bench.")
        self.path = pathlib.Path(self._folder.name)
        self.kernel = output(str(ROOT / "tools/guest-kernel"), kernel)
        self.initrd = str(self.path / "initrd.gz")
        output(str(ROOT / "tools/guest-initrd"), init, self.initrd)

    def guestbench(self):
        """Compile guestbench; the same flags as run-guest.sh."""
        program = str(self.path / "guestbench")
        if not os.path.exists(program):
            output(
                os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-static", "-fno-pie", "-no-pie",
                "-ffp-contract=off", "-fcf-protection=none", "-o", program,
                str(ROOT / "bench/guestbench.c"),
            )
        return program

    def tsc_khz(self):
        return output(self.guestbench(), "-k")


def have_bochs():
    return all(shutil.which(name) for name in ("bochs", "grub-mkrescue", "xorriso"))


def machines(words):
    """Check a list of names of machines, or choose those that are installed."""
    known = ["socle-emu", "socle-kvm", "qemu-tcg", "bochs"]
    if not words:
        return ["socle-emu", "qemu-tcg"] + (["bochs"] if have_bochs() else [])
    for word in words:
        if word not in known:
            fail(f"there is no machine '{word}'; there are {', '.join(known)}")
    return words


def boot_command(machine, work, memory=512, cpus=1, append="console=ttyS0 panic=-1"):
    """Return the command that boots work's guest, its serial port on standard output."""
    if machine.startswith("socle-"):
        return [
            SOCLE_VM, "--engine", machine[6:], "--memory", f"{memory}M", "--cpus", str(cpus),
            "--kernel", work.kernel, "--initrd", work.initrd, "--append", append,
        ]
    if machine == "qemu-tcg":
        # Without its TSC's frequency a microvm hangs when the host is busy while it calibrates.
        return [
            "qemu-system-x86_64", "-M", "microvm", "-accel", "tcg", "-cpu", "max",
            "-m", str(memory), "-smp", str(cpus), "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-no-reboot", "-kernel", work.kernel, "-initrd", work.initrd,
            "-append", f"{append} tsc_early_khz={work.tsc_khz()}",
        ]
    iso = work.path / "bochs.iso"
    if not iso.exists():
        output(str(ROOT / "bench/run-bochs"), "--make", str(iso), work.kernel, work.initrd, append)
    return [str(ROOT / "bench/run-bochs"), "--memory", str(memory), str(iso)]


class Result:
    def __init__(self, cpu, wall, status, text):
        self.cpu, self.wall, self.status, self.text = cpu, wall, status, text


def run(command, limit):
    """Run to the end; CPU is user + system of the process and the children it waited for."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        with open(os.devnull, "rb") as null:
            child = subprocess.Popen(command, stdin=null, stdout=out, stderr=subprocess.STDOUT)
        signal.signal(signal.SIGALRM, lambda *_: child.kill())
        signal.alarm(limit)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        signal.alarm(0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return Result(usage.ru_utime + usage.ru_stime, wall, child.returncode, text)


def median(values):
    return statistics.median(values)


def table(head, rows):
    """Print a Markdown table."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(word).ljust(width) for word, width in zip(row, widths)) + " |")


def compare_table(title, names, jobs, runs, host="host", guest="guest"):
    """Print a table of runs[name, job] = [(host, guest, engine) ...]; the first name against each."""
    rows = []
    for job in jobs:
        for name in names:
            own, first = runs[name, job], runs[names[0], job]
            ratio = [median([a[i] / b[i] for a, b in zip(first, own)]) for i in (0, 1)]
            rows.append([
                job, name, *(f"{median([run[i] for run in own]):.4g}" for i in (0, 1, 2)),
                *(f"{value:.2f}" for value in ratio),
            ])
    table([title, "machine", f"{host} CPU s", guest, "engine CPU s", f"{host} ratio",
           f"{guest} ratio"], rows)
