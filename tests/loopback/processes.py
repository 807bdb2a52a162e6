"""Our own commands as real processes, read line by line, always ended with the test."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_SECONDS = 90
"""How long a line or an end is waited for, in seconds, before the test fails rather than hangs."""

QUIET = {**os.environ, "COLUMNS": "160", "TERM": "dumb", "PYTHONWARNINGS": "ignore"}


class Running:
    """One `headend` command."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.output: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def line_with(self, text: str) -> str:
        """The next line that holds `text`; fails when the output ends or time is up."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, f"ended with {self.process.wait()} before it said {text!r}: {''.join(self.output)}"
            self.output.append(line)
            if text in line:
                return line

    def end(self, by: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(by)
        return self.process.wait(WAIT_SECONDS)

    def rest(self) -> str:
        """All that is still said until the end."""
        while (line := self._lines.get(timeout=WAIT_SECONDS)) is not None:
            self.output.append(line)
        return "".join(self.output)


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    command = [sys.executable, "-m", "headend.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, env=QUIET, check=False)


@contextmanager
def running(*arguments: str | Path) -> Iterator[Running]:
    """A command that stays; killed at the end if it is still there."""
    command = [sys.executable, "-u", "-m", "headend.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=QUIET) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
