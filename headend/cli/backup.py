"""`headend backup` and `headend restore`: a utility's database to a file and back."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from adapters.store.backup import check_identity, identity_of, write_backup
from adapters.store.backup import restore as restore_backup
from adapters.store.database import parse_url
from adapters.store.keys import read_key_file
from headend.cli.failing import errors_as_sentences, settings_or_exit
from headend.cli.imports import utility_named
from headend.errors import RequestError

_config = click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML.")
_utility = click.option("--utility", "utility_id", help="Which utility, where the settings have several.")
_file = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@_file
@_config
@_utility
@click.option("--with-key", is_flag=True, help="Copy the key file to FILE.key, too. Whoever has both can read every meter's key.")
def backup(file: Path, config: Path, utility_id: str | None, with_key: bool) -> None:
    """Write the database to FILE while the head-end runs. The key file is no part of it: keep that elsewhere."""
    settings = settings_or_exit(config)
    with errors_as_sentences():
        utility = utility_named(settings, utility_id)
        key_copy = file.with_name(f"{file.name}.key")
        if with_key and key_copy.exists():
            raise RequestError(f"{key_copy} is there already; a backup overwrites nothing")
        with _progress("backing up") as on_progress:
            write_backup(parse_url(utility.database), file, on_progress)
        click.echo(f"{file}: {file.stat().st_size:,} octets")
        if with_key:
            _copy_key(utility.key_file, key_copy)
            click.echo(f"{key_copy}: the key file, which opens the meters' keys in the backup; keep it safe")
        else:
            click.echo(f"The key file {utility.key_file} is not in it, and without it meters' keys cannot be opened. Keep it elsewhere.")


@click.command()
@_file
@_config
@_utility
@click.option("--force", is_flag=True, help="Replace what is in the database.")
@click.option("--key", type=click.Path(path_type=Path), help="Key file of the backup, put where the settings want it if none is there.")
def restore(file: Path, config: Path, utility_id: str | None, force: bool, key: Path | None) -> None:
    """Read a backup FILE into the database, which must be empty; stop the head-end before."""
    settings = settings_or_exit(config)
    with errors_as_sentences():
        utility = utility_named(settings, utility_id)
        if not utility.key_file.exists() and key is None:
            raise RequestError(f"the key file {utility.key_file} is not there, and no backup holds it; put it there or name it with --key")
        used_key = utility.key_file if utility.key_file.exists() else key
        assert used_key is not None
        check_identity(identity_of(file), utility.utility, read_key_file(used_key, utility.id))
        with _progress("restoring") as on_progress:
            restore_backup(parse_url(utility.database), file, on_progress, force=force)
        if used_key is key:
            _copy_key(key, utility.key_file)
        click.echo(f"{file}: restored")


def _copy_key(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as opened, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
            shutil.copyfileobj(opened, copy)
    except OSError as error:
        raise RequestError(f"{error.filename}: {error.strerror}") from None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, all_: progress.update(bar, completed=done, total=all_ or None)
