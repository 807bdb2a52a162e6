"""The name of a process among those that share a database: its machine and its process id, unlike any other that runs."""

import os
import platform
import re

NAME_CHARACTERS_MAX = 64
"""Longest name of a process, in characters."""


def process_name() -> str:
    """`host-4711`."""
    host = re.sub(r"[^a-z0-9-]+", "-", platform.node().lower()).strip("-") or "host"
    number = str(os.getpid())
    return f"{host[: NAME_CHARACTERS_MAX - len(number) - 1]}-{number}"
