"""The command in a terminal of its own: a real pseudo-terminal, where Ctrl-C is a key and not a function call."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

# The command gets the terminal as its controlling one, so that ^C becomes a SIGINT, as under a shell.
_LAUNCH = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
_ESCAPES = re.compile(r"\x1b\[[?\d;]*[a-zA-Z]")
COMMAND = (sys.executable, "-m", "llm_actors")
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """Runs a program in a terminal: `type()`, `expect()` what is on the screen, `status()` at the end. All waits are bounded."""

    def __init__(self, *words, program=COMMAND, columns=80, stdout=None, **environment):
        self.screen = ""
        self._read = 0
        self._keyboard, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *program, *words],
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm", "INPUTRC": os.devnull} | environment,
        )
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        os.close(self._keyboard)

    def type(self, text):
        """The keys of one line, and Enter."""
        self.press(f"{text}\r")

    def press(self, keys):
        os.write(self._keyboard, keys.encode())

    def press_until(self, keys, text):
        """Presses them until `text` is on the screen: a signal in the midst of readline's work on a key waits for the next key."""
        for _ in range(10):
            self.press(keys)
            with contextlib.suppress(AssertionError):
                return self.expect(text, 3)
        raise AssertionError(f"{keys!r} did not lead to {text!r}: {self.screen!r}")

    def expect(self, text, timeout=30):
        """Waits until `text` is on the screen, behind what was expected before; gives what stands between."""
        deadline = time.monotonic() + timeout
        while (place := self.screen.find(text, self._read)) < 0:
            if not self._look(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} is not on the screen behind {self._read}: {self.screen!r}")
        between = self.screen[self._read : place]
        self._read = place + len(text)
        return between

    def status(self, timeout=30):
        """Waits for the end; gives the exit status."""
        deadline = time.monotonic() + timeout
        while self._look(deadline - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _look(self, seconds):
        """Takes in what comes next; False when nothing came in time, or nothing will."""
        if not select.select([self._keyboard], [], [], max(0, seconds))[0]:
            return False
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += _ESCAPES.sub("", data.decode("utf-8", "backslashreplace")).replace("\r", "")
        return bool(data)
