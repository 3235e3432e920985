"""Drives build/sluice through its console: waits for text, types, and checks how it ends."""
import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

PATIENCE = float(os.environ.get("SLUICE_PATIENCE", "1"))  # factor for slow or loaded hosts
LONG = bool(os.environ.get("SLUICE_LONG"))


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Failure(AssertionError):
    pass


def die_with_parent():
    """In the child: a driver that is killed by a time limit leaves no emulator behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def take_terminal():
    die_with_parent()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Machine:
    """A running emulator; `with` makes sure that it ends. `terminal` gives it a pseudo-terminal, else pipes."""

    def __init__(self, sluice, *options, terminal=False):
        self.command = [sluice, *options]
        self.seen = ""   # everything that it has written
        self.at = 0      # up to where expect() has looked
        self.eof = False
        self.terminal = terminal
        if terminal:
            self.fd_in, slave = pty.openpty()
            self.fd_out = self.fd_in
            attributes = termios.tcgetattr(slave)
            attributes[3] &= ~termios.ECHO
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
            self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave, stderr=slave,
                                            start_new_session=True,
                                            preexec_fn=take_terminal)
            os.close(slave)
        else:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=die_with_parent)
            self.fd_in, self.fd_out = self.process.stdin.fileno(), self.process.stdout.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.terminal:
            os.close(self.fd_in)
        else:
            self.process.stdin.close()
            self.process.stdout.close()

    def read(self, until):
        """Reads what is there, waiting until the monotonic time `until`; False when nothing came."""
        left = until - time.monotonic()
        if self.eof or left <= 0 or not select.select([self.fd_out], [], [], left)[0]:
            return False
        try:
            piece = os.read(self.fd_out, 65536)
        except OSError:  # a pseudo-terminal whose other end is closed
            piece = b""
        self.eof = not piece
        self.seen += piece.decode("utf-8", "replace")
        return True

    def fail(self, text):
        tail = "\n".join(self.seen.splitlines()[-25:])
        raise Failure(f"{text}\n$ {' '.join(self.command)}\n{tail}")

    def expect(self, pattern, seconds=60):
        """Waits for a regular expression behind the last one; returns the match."""
        until = time.monotonic() + seconds * PATIENCE
        expression = re.compile(pattern)
        while True:
            found = expression.search(self.seen, self.at)
            if found:
                self.at = found.end()
                return found
            if not self.read(until):
                self.fail(f"{'ended' if self.eof else 'waited'} without {pattern!r}")

    def type(self, text):
        os.write(self.fd_in, text.encode())

    def status(self, seconds=60):
        """Waits for the end; 128 + n for a signal, as a shell has it."""
        until = time.monotonic() + seconds * PATIENCE
        while self.read(until):
            pass
        if not self.eof:
            self.fail("still runs")
        code = self.process.wait(10)
        return code if code >= 0 else 128 - code

    def expect_status(self, wanted, seconds=60):
        code = self.status(seconds)
        if code != wanted:
            self.fail(f"exit status {code}, expected {wanted}")


class Shell:
    """A shell on the guest's console, one command at a time. The markers do not appear in the echo of the command."""

    def __init__(self, machine, seconds=60):
        self.machine = machine
        self.count = 0
        machine.expect(r"~ # ", seconds)

    def run(self, command, seconds=60):
        self.count += 1
        n = self.count
        self.machine.type(f"echo _'begin'{n}_; {command}; echo _$?_'end'{n}_\n")
        found = self.machine.expect(rf"(?s)_begin{n}_\s*\n(.*?)_(\d+)_end{n}_", seconds)
        return int(found.group(2)), found.group(1).replace("\r", "").strip()

    def output(self, command, seconds=60):
        code, text = self.run(command, seconds)
        if code:
            self.machine.fail(f"{command!r} ended with {code}: {text}")
        return text
