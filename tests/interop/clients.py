"""Client stacks that are not ours, each as a command that reads a plan and prints answers (see plan.py), or why it cannot run."""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "interop"
"""What is installed and compiled for these tests, kept for the next run; `git clean -X` empties it."""

NPM_SOAP = "1.13.0"
RUN_SECONDS = 120
"""How long a client may take, in seconds, before the test fails rather than hangs: each needs a few."""


class MissingToolError(Exception):
    """What this machine lacks to run a client."""


def ask(command: list[str], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What a client answers."""
    done = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def zeep_command() -> list[str]:
    return [sys.executable, "-m", "tests.interop.zeep_client"]


def node_command() -> list[str]:
    """The npm package `soap`, installed once."""
    _require("node", "npm")
    folder = CACHE / f"node-soap-{NPM_SOAP}"
    with _once(folder) as new:
        if new:
            install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", f"soap@{NPM_SOAP}"]
            done = subprocess.run(install, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
            if done.returncode != 0:
                raise MissingToolError(f"npm cannot install soap {NPM_SOAP}: {done.stderr[-300:]}")
    return ["node", str(HERE / "node_client.js"), str(folder)]


def php_command() -> list[str]:
    _require("php")
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, timeout=RUN_SECONDS, check=True).stdout.split()
    if "soap" not in modules:
        raise MissingToolError("php has no module soap (Debian: php-soap)")
    return ["php", str(HERE / "php_client.php")]


COMMANDS: dict[str, Callable[[], list[str]]] = {"zeep": zeep_command, "node": node_command, "php": php_command}


def _require(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise MissingToolError(f"no {' and no '.join(missing)} on this machine")


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether a folder is yet to be filled; several test processes wait for one another. What fails leaves nothing half done behind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        new = not done.exists()
        if new:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield new
        done.touch()
