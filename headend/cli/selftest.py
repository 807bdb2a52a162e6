"""`headend selftest`: calls every operation that a MultiSpeak server advertises and writes an assertion document."""

import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from headend.cli.failing import errors_as_sentences, settings_or_exit
from headend.cli.progress import BAR
from headend.errors import RequestError
from headend.passwords import is_hash
from headend.settings import Settings
from multispeak.contract import load_contract
from multispeak.example_values import METER, SUBJECTS
from multispeak.selftest.assertions import Report, ServiceReport, Verdict
from multispeak.selftest.discovery import Target, services_at
from multispeak.selftest.document import as_html, as_markdown
from multispeak.selftest.posting import HttpCaller
from multispeak.selftest.running import LoginWay, SelfTestOptions, ServiceTest
from wsdl import VERSIONS

SECONDS_MAX = 3_600
"""Longest time-out of one call, in seconds."""

FAILURES_SHOWN_MAX = 20
"""Failed assertions that are printed; the document has all."""

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 (compared with, not bound to)


@dataclass(frozen=True, slots=True)
class Login:
    """Where to call, and as whom."""

    address: str
    user_id: str
    password: str = field(repr=False)


@click.command()
@click.argument("address", required=False)
@click.option("--config", type=click.Path(path_type=Path), help="Settings in TOML: test that head-end, as one of its partners.")
@click.option("--partner", help="UserID of the partner in the settings; by default the first.")
@click.option("--user", default="", help="UserID, where there are no settings.")
@click.option("--password", envvar="HEADEND_SELFTEST_PASSWORD", help="Its Pwd; asked for where it is not given.")
@click.option("--login", "way", type=click.Choice([str(way) for way in LoginWay]), default="header", show_default=True, help="How.")
@click.option("--multispeak", "spoken", type=click.Choice(VERSIONS), help="Version of a server without a WSDL.")
@click.option("--server", default="", help="Name of a server without a WSDL, e.g. MR_Server.")
@click.option("--soap", type=click.Choice(["1.1", "1.2"]), default="1.1", show_default=True)
@click.option("--effects", is_flag=True, help="Call operations that act, too, on the meter named and on made-up objects.")
@click.option("--meter", help="Meter number to ask for and, with --effects, to act on.")
@click.option("--value", "values", multiple=True, metavar="SUBJECT=TEXT", help=f"Ask with this value; subjects: {', '.join(SUBJECTS)}.")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 366), help="Length of the periods asked for.")
@click.option("--timeout", default=45.0, show_default=True, type=click.FloatRange(0.1, SECONDS_MAX), help="Seconds for one answer.")
@click.option("--ca", default="", type=click.Path(), help="Certificates to trust (PEM) instead of the system's.")
@click.option("--certificate", default="", type=click.Path(), help="TLS client certificate (PEM).")
@click.option("--key", default="", type=click.Path(), help="Its key (PEM).")
@click.option("--output", default="selftest", show_default=True, type=click.Path(path_type=Path), help="Directory for the document.")
def selftest(
    address: str | None,
    config: Path | None,
    partner: str | None,
    user: str,
    password: str | None,
    way: str,
    spoken: str | None,
    server: str,
    soap: str,
    effects: bool,
    meter: str | None,
    values: tuple[str, ...],
    days: int,
    timeout: float,
    ca: str,
    certificate: str,
    key: str,
    output: Path,
) -> None:
    """Test the MultiSpeak server at ADDRESS: a head-end, one of its services, or a WSDL.

    Nothing acts on the server unless --effects says so. Ends with status 1 where an assertion fails.
    """
    subjects = _subjects(values) | ({METER: meter} if meter else {})
    if effects and not meter:
        raise click.UsageError("--effects needs --meter: the meter that commands may go to")
    if way == LoginWay.CERTIFICATE and not certificate:
        raise click.UsageError("--login certificate needs --certificate, and --key where the file has none")
    login = _login(address, config, partner, user, password)
    options = SelfTestOptions(login.user_id, login.password, soap, effects, subjects, days, LoginWay(way))
    caller = HttpCaller(timeout, time.monotonic, ca, (certificate, key or certificate) if certificate else None)
    console = Console()
    with errors_as_sentences():
        try:
            report = run_selftest(caller, login, options, (spoken or "", server), console)
        finally:
            caller.close()
        written = write_document(report, output)
    console.print(_table(report))
    for line in _failures(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Written: {', '.join(str(file) for file in written)}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1 if report.failed else 0)


def run_selftest(caller: HttpCaller, login: Login, options: SelfTestOptions, said: tuple[str, str], console: Console) -> Report:
    """Find the services and test one after the other. Raises LinkError, RequestError where there is none."""
    contracts = {name: load_contract(name) for name in VERSIONS}
    targets = services_at(caller, login.address, contracts, said)
    services: list[ServiceReport] = []
    began = datetime.now().astimezone()
    known: dict[str, dict[str, str]] = {}
    with Progress(*BAR, console=console, transient=True) as progress:
        for target in targets:
            test = ServiceTest(
                contracts[target.version],
                target,
                caller,
                options,
                known.setdefault(target.version, {}),
                lambda: datetime.now().astimezone(),
                SystemRandom(),
            )
            for _ in progress.track(test.run(), total=test.total, description=_title(target)):
                pass
            services.append(test.report)
    tool = f"headend selftest {version('open-ami-headend')}"
    return Report(login.address, options.user_id, options.soap, options.effects, began, tool, services)


def write_document(report: Report, directory: Path) -> list[Path]:
    """Both forms of the document; their files. Raises RequestError where they cannot be written."""
    files = [directory / "assertions.md", directory / "assertions.html"]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files[0].write_text(as_markdown(report), encoding="utf-8")
        files[1].write_bytes(as_html(report))
    except OSError as error:
        raise RequestError(f"cannot write to {directory}: {error.strerror or error}") from None
    return files


def _login(address: str | None, config: Path | None, partner: str | None, user: str, password: str | None) -> Login:
    if config is None:
        if address is None:
            raise click.UsageError("name an ADDRESS, or --config with the settings of a head-end that runs")
        if user and password is None:
            password = click.prompt("Pwd", hide_input=True)
        return Login(address, user, password or "")
    settings = settings_or_exit(config)
    if user:
        if password is None:
            password = click.prompt("Pwd", hide_input=True)
        return Login(address or _address(settings), user, password)
    partners = [p.partner for utility in settings.utilities for p in utility.partners]
    one = next((p for p in partners if partner in {None, p.user_id}), None)
    if one is None:
        raise click.UsageError(f"the settings have no partner {partner!r}" if partner else "the settings have no partner")
    secret = password or one.password
    if is_hash(secret):
        secret = click.prompt(f"The settings have a hash of the password of {one.user_id}; Pwd", hide_input=True)
    return Login(address or _address(settings), one.user_id, secret)


def _address(settings: Settings) -> str:
    """Where the head-end of these settings serves, from this machine."""
    server = settings.server
    if not server.port:
        raise click.UsageError("the settings let the system pick a port; name the ADDRESS that `headend serve` has told")
    host = _ANYWHERE.get(server.host, f"[{server.host}]" if ":" in server.host else server.host)
    return f"{'http' if server.tls is None else 'https'}://{host}:{server.port}"


def _subjects(values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        subject, equals, text = value.partition("=")
        if not equals or subject not in SUBJECTS:
            raise click.UsageError(f"--value {value!r} is none of SUBJECT=TEXT; subjects: {', '.join(SUBJECTS)}")
        found[subject] = text
    return found


def _title(target: Target) -> str:
    return f"{target.service} {target.version}"


def _table(report: Report) -> Table:
    table = Table(title=f"MultiSpeak assertions on {report.address}")
    table.add_column("service")
    for verdict in Verdict:
        table.add_column(str(verdict), justify="right")
    for service in report.services:
        table.add_row(f"{service.service} {service.version}", *(str(service.counts[verdict]) for verdict in Verdict))
    return table


def _failures(report: Report) -> list[str]:
    lines = [
        f"FAILED {service.service} {service.version} {one.operation}: {one.note}"
        for service in report.services
        for one in service.assertions
        if one.verdict is Verdict.FAILED
    ]
    more = len(lines) - FAILURES_SHOWN_MAX
    return lines[:FAILURES_SHOWN_MAX] + ([f"and {more} more"] if more > 0 else [])
