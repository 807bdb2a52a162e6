"""What is wrong with a CMEP file."""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapters.validation.problem import Problem

_FIXED = 14
"""Fields before the first value."""


def cmep_problems(path: Path) -> Iterator[Problem]:
    """Line by line."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        try:
            for row in rows:
                for what in _wrong(row):
                    yield Problem(rows.line_num, what)
        except (UnicodeDecodeError, csv.Error) as error:
            yield Problem(rows.line_num + 1, f"this cannot be read as comma-separated values: {error}")


def _wrong(row: list[str]) -> Iterator[str]:
    if not row or row[0] != "MEPMD01":
        yield f"the record type is {row[0] if row else ''!r}, not MEPMD01"
        return
    if len(row) < _FIXED:
        yield f"{len(row)} fields, and {_FIXED} come before the values"
        return
    if row[9] not in {"E", "G", "W"}:
        yield f"commodity {row[9]!r} is none of E, G, W"
    if not row[7]:
        yield "there is no meter"
    values = row[_FIXED:]
    if not row[13].isdigit() or len(values) != 3 * int(row[13]):
        yield f"count {row[13]!r} and {len(values)} fields of values, which are three each"
        return
    for at in range(0, len(values), 3):
        time, quality, value = values[at : at + 3]
        if time and not re.fullmatch(r"\d{12}", time):
            yield f"time {time!r} of value {at // 3 + 1} is no YYYYMMDDHHMM"
        if quality.startswith("N"):
            continue
        try:
            Decimal(value)
        except InvalidOperation:
            yield f"value {value!r} at {time} is no number"
