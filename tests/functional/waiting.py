# SPDX-License-Identifier: GPL-2.0-or-later
"""How the functional tests wait: for something to be so, for words from a program.

Nothing here waits for time to pass. Environment: SOCLE_PATIENCE how many seconds to wait for what should come at once;
a test whose machines are slow sets waiting.PATIENCE.
"""
import os
import select
import signal
import time

# Sanitizers and a busy machine make things slow.
PATIENCE = float(os.environ.get('SOCLE_PATIENCE', '60'))

# PF_IO_WORKER and PF_USER_WORKER: threads that the kernel has in a process, and stops or not.
KERNELS_OWN = 0x10 | 0x4000

# Whoever runs the tests in the background may have had these ignored; what we start shall not.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def wait_for(condition, what):
    """Poll until condition() is true, and return what it returned."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.005)
    raise AssertionError(f'{what}: not within {PATIENCE} seconds')


def hold(pid):
    """Stop a process, and wait until none of its threads does anything any more."""
    def running():
        states = set()
        for tid in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{tid}/stat', encoding='ascii') as file:
                words = file.read().rsplit(')', 1)[1].split()
            if not int(words[6]) & KERNELS_OWN:
                states.add(words[0])
        return states - {'T'}

    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: not running(), 'it stands still')


def end_in(folder, pid):
    """Kill a machine that works in a folder, if it is still there: its number may be another test's process by now."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if os.readlink(f'/proc/{pid}/cwd').startswith(os.path.realpath(folder) + '/'):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(fd)


def read_until(fd, wanted, data=b''):
    """Read behind data until all of it contains wanted, bytes or a pattern of re; a flood does not make it wait longer."""
    end = time.monotonic() + PATIENCE
    pattern = getattr(wanted, 'search', None)
    while not (pattern(data) if pattern else wanted in data):
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise AssertionError(f'{wanted!r} is not in {len(data)} bytes that end in {data[-4096:]!r}')
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            chunk = b''
        if not chunk:
            raise AssertionError(f'the end came before {wanted!r}, behind {data[-4096:]!r}')
        data += chunk
    return data
