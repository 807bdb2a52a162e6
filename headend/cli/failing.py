"""Turns our errors into what a command line says and the status it ends with."""

import sys
from pathlib import Path

import click

from headend.settings import Settings, SettingsError, load_settings


def settings_or_exit(file: Path) -> Settings:
    """The settings, or every mistake in them on standard error and exit status 2."""
    try:
        return load_settings(file)
    except SettingsError as error:
        click.echo(f"headend: {error}", err=True)
        sys.exit(2)
