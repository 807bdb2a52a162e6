"""Names of processes among those that share a database."""

import os
import platform
import re

NAME_CHARACTERS_MAX = 64
"""Longest name of a process, in characters."""


def process_name() -> str:
    """`host-4711`: the machine and the process id, unlike any other that runs."""
    return _named(str(os.getpid()))


def collector_name(port: int) -> str:
    """`host-port-1153`: the machine and the port in the field, which no other process there has, and this one again after a restart.

    Where 0 picks the port it is the process's name.
    """
    return _named(f"port-{port}") if port else process_name()


def _named(what: str) -> str:
    host = re.sub(r"[^a-z0-9-]+", "-", platform.node().lower()).strip("-") or "host"
    return f"{host[: NAME_CHARACTERS_MAX - len(what) - 1]}-{what}"
