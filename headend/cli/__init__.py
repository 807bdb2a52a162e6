"""The `headend` command: each of its commands is imported when it is the one that is run, as most need little of what the others do."""

import gc
from importlib import import_module
from types import ModuleType

import click

COMMANDS = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "emulate": "emulate:emulate",
    "import": "imports:import_",
    "read": "commands:read_",
    "ping": "commands:ping_",
    "voltage": "commands:voltage_",
    "switch": "commands:switch_",
    "connect": "commands:connect_",
    "disconnect": "commands:disconnect_",
    "reset-demand": "commands:reset_demand",
    "set-clock": "commands:set_clock",
    "commands": "asked:commands",
    "batch": "batch:batch",
    "protected": "protected:protected",
    "endpoints": "endpoints:endpoints",
    "routers": "routers:routers",
    "work": "work:work",
    "events": "events:events",
    "outbox": "outbox:outbox",
    "subscriptions": "subscriptions:subscriptions",
    "silence": "silencings:silence",
    "status": "status:status",
    "usage": "usage:usage",
    "schedules": "schedules:schedules",
    "completeness": "completeness:completeness",
    "gas-day": "gas_day:gas_day",
    "storm": "storm:storm",
    "purge": "purge:purge",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "messages": "messages:messages",
    "export": "exports:export",
    "billing": "billing:billing",
    "green-button": "green_button:green_button_",
    "event-files": "event_files:event_files",
    "deliveries": "deliveries:deliveries",
    "validate": "validate:validate",
    "certificate": "certificate:certificate",
    "password": "password:password",
    "selftest": "selftest:selftest",
    "self-check": "self_check:self_check",
}
"""What a user types, and where it is: a module of this package, and the command in it."""


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None for a name that there is not."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(_imported(f"{__name__}.{module}"), name)
        assert isinstance(command, click.Command)
        return command


def _imported(name: str) -> ModuleType:
    """A module; what importing makes stays for good, so nobody need look for garbage in it, now (a fifth of the time) or later."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="open-ami-headend")
def main() -> None:
    """An open AMI head-end: reads meters over ANSI C12.22 and answers CIS, MDM and OMS over MultiSpeak 3.0 and 4.1.6."""
