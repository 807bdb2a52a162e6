"""Port numbers for tests that must name one before somebody listens there."""

import random
import socket

EPHEMERAL_FROM = 32_768
"""From here on Linux gives numbers to whoever connects; what is picked below stays free until it is listened at."""


def free_port() -> int:
    """A port that UDP and TCP are free at on the loopback."""
    while True:
        number = random.SystemRandom().randrange(20_000, EPHEMERAL_FROM)
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", number))
                udp.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
