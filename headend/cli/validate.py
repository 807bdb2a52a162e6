"""`headend validate`: holds files against the published schemas."""

import json
from pathlib import Path

import click

from adapters.validation.files import PROBLEMS_MAX, problems_of
from headend.cli.failing import errors_as_sentences


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--limit", default=PROBLEMS_MAX, show_default=True, type=click.IntRange(1, 1_000_000), help="Problems told of each file.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def validate(files: tuple[Path, ...], limit: int, as_json: bool) -> None:
    """Say what is wrong with exported or billing FILES, in which line and why; of a manifest also whether its files are what it says.

    Ends with status 1 where anything is.
    """
    with errors_as_sentences():
        found = {file: problems_of(file, limit) for file in files}
    if as_json:
        click.echo(json.dumps({str(file): [one._asdict() for one in problems] for file, problems in found.items()}, indent=1))
    for file, problems in found.items():
        if not as_json:
            click.echo(f"{file}: {'valid' if not problems else ''}".rstrip())
            for one in problems:
                click.echo(f"  {one}")
    raise SystemExit(1 if any(found.values()) else 0)
