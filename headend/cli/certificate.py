"""`headend certificate`: a private CA in a directory, and certificates of servers and clients that it signs."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from adapters.private_ca import PrivateAuthority
from headend.cli.failing import errors_as_sentences

CA_NAME = "Open AMI Head-End private CA"

_directory = click.option(
    "--directory", default="certificates", show_default=True, type=click.Path(path_type=Path), help="Where the CA and its files stand."
)


@click.group()
def certificate() -> None:
    """Certificates for HTTPS, signed by a private CA, which is made when it is first needed."""


@certificate.command()
@click.argument("hosts", nargs=-1, required=True)
@_directory
def server(hosts: tuple[str, ...], directory: Path) -> None:
    """A certificate for the server that clients reach as HOSTS: names and IP addresses."""
    now = datetime.now(UTC)
    with errors_as_sentences():
        authority = PrivateAuthority.in_directory(directory, CA_NAME, now)
        issued = authority.issue_server("server", hosts, now)
    click.echo(f'tls = {{ certificate = "{issued.certificate}", key = "{issued.key}", client_ca = "{authority.file}" }}')
    click.echo(f"Clients must trust {authority.file}")


def _file_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}", value):
        raise click.BadParameter("letters, digits, dots, hyphens and underscores: it names files, too")
    return value


@certificate.command()
@click.argument("name", callback=_file_name)
@_directory
def client(name: str, directory: Path) -> None:
    """A certificate with which the software of partner NAME shows who it is."""
    now = datetime.now(UTC)
    with errors_as_sentences():
        authority = PrivateAuthority.in_directory(directory, CA_NAME, now)
        issued = authority.issue_client(f"client-{name}", name, now)
    click.echo(f'certificate = {{ sha256 = "{issued.sha256}" }}')
    click.echo(f"The partner's software needs {issued.certificate} and {issued.key}")
