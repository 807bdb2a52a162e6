"""`headend password`: the hash of a password, for the settings file."""

import os

import click

from headend.partner_settings import PASSWORD_CHARACTERS_MIN
from headend.passwords import make_hash


@click.command()
def password() -> None:
    """Ask for a partner's password and print its hash, which opens in its place."""
    typed = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(typed) < PASSWORD_CHARACTERS_MIN:
        raise click.ClickException(f"a password has at least {PASSWORD_CHARACTERS_MIN} characters")
    click.echo(make_hash(typed, os.urandom))
