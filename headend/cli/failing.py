"""Turns our errors into what a command line says and the status it ends with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from headend.errors import HeadEndError
from headend.settings import Settings, SettingsError, load_settings


def settings_or_exit(file: Path) -> Settings:
    """The settings, or every mistake in them on standard error and exit status 2."""
    try:
        return load_settings(file)
    except SettingsError as error:
        click.echo(f"headend: {error}", err=True)
        sys.exit(2)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Our errors inside end the command with a sentence and exit status 1."""
    try:
        yield
    except HeadEndError as error:
        click.echo(f"headend: {error}", err=True)
        sys.exit(1)
