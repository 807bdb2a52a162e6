"""The `headend` command."""

import click

from headend.cli.backup import backup, restore
from headend.cli.batch import batch
from headend.cli.certificate import certificate
from headend.cli.commands import COMMANDS_OF_METERS
from headend.cli.completeness import completeness
from headend.cli.demo import demo
from headend.cli.emulate import emulate
from headend.cli.endpoints import endpoints
from headend.cli.gas_day import gas_day
from headend.cli.imports import import_
from headend.cli.messages import messages
from headend.cli.password import password
from headend.cli.protected import import_protected, protected
from headend.cli.purge import purge
from headend.cli.routers import routers
from headend.cli.schedules import schedules
from headend.cli.self_check import self_check
from headend.cli.selftest import selftest
from headend.cli.serve import serve
from headend.cli.status import status
from headend.cli.usage import usage
from headend.cli.work import work

COMMANDS = (
    demo,
    serve,
    emulate,
    import_,
    *COMMANDS_OF_METERS,
    batch,
    protected,
    endpoints,
    routers,
    work,
    status,
    usage,
    schedules,
    completeness,
    gas_day,
    purge,
    backup,
    restore,
    messages,
    certificate,
    password,
    selftest,
    self_check,
)

import_.add_command(import_protected)


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="open-ami-headend")
def main() -> None:
    """An open AMI head-end: reads meters over ANSI C12.22 and answers CIS, MDM and OMS over MultiSpeak 3.0 and 4.1.6."""
