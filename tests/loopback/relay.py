"""A datagram relay between a head-end and its field, that counts requests and lets a test interfere at any of them."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

Step = Callable[[int], bool]
"""Called with the number of each request when its reply is there; False keeps the reply back."""


class Relay:
    """Takes a head-end's datagrams at `port` and passes them to `field`, and back. Requests count from 1 since `step` was set."""

    def __init__(self, field: tuple[str, int]) -> None:
        self._field = field
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self._front, self._back):
            one.bind(("127.0.0.1", 0))
            one.settimeout(0.2)
        self.port = self._front.getsockname()[1]
        self._head_end: tuple[str, int] | None = None
        self._requests = self._passed = 0
        self._step: Step = lambda number: True
        self._open = True
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._there, self._back_again)]

    def at_each(self, step: Step) -> None:
        """From now on count, and call `step`."""
        self._requests, self._step = 0, step

    def wait_until_quiet(self, seconds: float = 1.0) -> None:
        """Until nothing has passed for so long."""
        before = -1
        while before != self._passed:
            before = self._passed
            time.sleep(seconds)

    def __enter__(self) -> "Relay":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        for thread in self._threads:
            thread.join()
        self._front.close()
        self._back.close()

    def _there(self) -> None:
        while self._open:
            try:
                octets, self._head_end = self._front.recvfrom(65_536)
            except TimeoutError:
                continue
            self._requests += 1
            self._passed += 1
            self._back.sendto(octets, self._field)

    def _back_again(self) -> None:
        while self._open:
            try:
                octets = self._back.recv(65_536)
            except TimeoutError:
                continue
            if self._step(self._requests) and self._head_end is not None:
                self._front.sendto(octets, self._head_end)
