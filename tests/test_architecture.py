"""House rules held by a test: who imports whom, what may not be called, and that every file says what it is for."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from headend.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
PACKAGES = ("headend", "multispeak", "adapters", "emulators", "wsdl")
FILES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
COMPOSITION = (
    *("headend/service.py", "headend/gateway.py", "headend/router_service.py", "headend/telling_service.py", "headend/surrounding.py"),
    *("headend/delivery_service.py", "headend/export_service.py", "headend/event_file_service.py", "headend/billing_service.py"),
    "headend/cli/",
)
COMPOSING = (
    *("headend.service", "headend.gateway", "headend.router_service", "headend.telling_service"),
    *("headend.delivery_service", "headend.export_service", "headend.event_file_service", "headend.billing_service", "headend.cli"),
)
DRIVERS = ("headend/poller.py", "headend/dispatcher.py", *COMPOSITION)
CORE_FORBIDDEN = {
    "multispeak", "adapters", "emulators", "spyne", "sqlalchemy", "lxml",
    "zeep", "pysnmp", "faker", "prometheus_client", "socket",
}
LINES_MAX = 400

# A call that hides time, chance or blocking from the caller, and what to do instead.
BANNED_CALLS = {
    "datetime.now": "take the clock as an argument",
    "datetime.utcnow": "aware datetimes only, and take the clock as an argument",
    "time.sleep": "use reactor.callLater",
    "random.random": "take a random.Random as an argument",
    "random.randint": "take a random.Random as an argument",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_every_file_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    doc = ast.get_docstring(ast.parse(text))
    assert doc, f"{relative(path)} does not say what it is for"
    assert doc.splitlines()[0].endswith((".", ":", "…")), f"{relative(path)} has no purpose line"
    assert text.count("\n") <= LINES_MAX, f"{relative(path)} has outgrown its one question"


@pytest.mark.parametrize("path", [p for p in FILES if relative(p).startswith("headend/")], ids=relative)
def test_the_core_imports_no_rim(path: Path) -> None:
    name = relative(path)
    if name.startswith(COMPOSITION):
        return
    named = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert not {n.split(".")[0] for n in named} & CORE_FORBIDDEN
    assert not [n for n in named if n.startswith(COMPOSING)], "only the composition root composes"
    if not name.startswith(DRIVERS):
        assert not [n for n in named if n.startswith("twisted.internet") and n.split(".")[2:3] not in (["interfaces"], ["defer"])]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nothing_calls_what_hides_time_or_chance(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [
                f"{relative(path)}:{node.lineno} calls {called}: {instead}"
                for banned, instead in BANNED_CALLS.items()
                if called in (banned, f"datetime.{banned}")
            ]
    allowed = (*COMPOSITION, "emulators/clock.py", "emulators/service.py")
    assert relative(path).startswith(allowed) or not found, "\n".join(found)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_importing_a_module_builds_nothing(path: Path) -> None:
    """No module-level call opens, reads, connects or installs."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            pytest.fail(f"{relative(path)}:{node.lineno} calls {ast.unparse(node.value.func)} at import")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_its_name_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str()


def test_importing_what_serves_installs_no_reactor() -> None:
    """Whoever starts a process chooses the reactor; a library that installs one when it is imported is imported later."""
    code = "import sys, headend.service, headend.cli.serve; sys.exit('twisted.internet.reactor' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
