"""Rows of a provisioning file, CSV or JSON, with the line each begins on; a row that cannot be read is a problem, not an end.

Layout  CSV: a header line naming the columns, then rows (RFC 4180). JSON: one list of objects, keys named as the columns.
        Both UTF-8, with or without a byte order mark. In column names case, blanks and hyphens do not matter.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from headend.errors import RequestError
from headend.limits import TEXT_CHARACTERS_MAX

FILE_OCTETS_MAX = 512 * 1024 * 1024
"""Largest file read, in octets: a million endpoints as JSON are about 300 MB."""

ROWS_MAX = 2_000_000
"""Rows of one file: the largest utility there is, twice."""

_BLANKS = re.compile(r"[\s,]*")
_DAMAGED = "\N{REPLACEMENT CHARACTER}"


class FileFormat(StrEnum):
    """How a provisioning file is written."""

    CSV = "csv"
    JSON = "json"

    @classmethod
    def of(cls, name: str, octets: bytes) -> "FileFormat":
        """The format a file's name says, else the one its first octet says."""
        if name.lower().endswith((".csv", ".json")):
            return cls(name.lower().rpartition(".")[2])
        return cls.JSON if octets.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[" else cls.CSV


class ProvisioningFileError(RequestError):
    """A file no row of which can be used; says why, naming the line where there is one."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        super().__init__(reason if line is None else f"line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken: the line it begins on and what is wrong with it; never shows a key."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


Row = dict[str, str]


def rows(octets: bytes, file_format: FileFormat, columns: frozenset[str]) -> Iterator[tuple[int, Row | Problem]]:
    """(line, row) of each row in order; a row has all `columns`, missing ones as ''. Raises ProvisioningFileError."""
    if len(octets) > FILE_OCTETS_MAX:
        raise ProvisioningFileError(f"the file has {len(octets)} octets, {FILE_OCTETS_MAX} are the most that is read")
    text = octets.decode("utf-8-sig", errors="replace")
    found = _csv_rows(text, columns) if file_format is FileFormat.CSV else _json_rows(text, columns)
    for count, (line, row) in enumerate(found):
        if count >= ROWS_MAX:
            raise ProvisioningFileError(f"the file has more than {ROWS_MAX} rows", line)
        yield line, row if isinstance(row, Problem) else _checked(line, row)


def column_name(text: str) -> str:
    """`Meter No` and `meter-no` are `meter_no`."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def _checked(line: int, row: Row) -> Row | Problem:
    for column, value in row.items():
        if _DAMAGED in value:
            return Problem(line, f"{column} has octets that are not UTF-8")
        if len(value) > TEXT_CHARACTERS_MAX:
            return Problem(line, f"{column} has {len(value)} characters, {TEXT_CHARACTERS_MAX} are the most")
        if not value.isprintable():
            return Problem(line, f"{column} has control characters")
    return row


def _csv_rows(text: str, columns: frozenset[str]) -> Iterator[tuple[int, Row | Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    names: list[str] | None = None
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield begins, Problem(begins, f"is not CSV: {error}")
            continue
        if not any(cells):
            continue
        if names is None:
            names = _header([column_name(cell) for cell in cells], columns, begins)
        elif len(cells) != len(names):
            yield begins, Problem(begins, f"has {len(cells)} fields where the header has {len(names)}")
        else:
            given = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if name in columns}
            yield begins, {column: given.get(column, "") for column in columns}
    if names is None:
        raise ProvisioningFileError("the file is empty")


def _header(names: list[str], columns: frozenset[str], line: int) -> list[str]:
    twice = {name for name in names if name in columns and names.count(name) > 1}
    if twice:
        raise ProvisioningFileError(f"columns named twice: {', '.join(sorted(twice))}", line)
    if not columns.intersection(names):
        raise ProvisioningFileError(f"the first line names none of the columns {', '.join(sorted(columns))}", line)
    return names


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return place if found is None else found.end()


def _json_rows(text: str, columns: frozenset[str]) -> Iterator[tuple[int, Row | Problem]]:
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    place = _after_blanks(text, 0)
    line = 1 + text.count("\n", 0, place)
    if text[place : place + 1] != "[":
        raise ProvisioningFileError("JSON is to be one list of objects, beginning with [", line)
    counted, place = place, place + 1
    while True:
        place = _after_blanks(text, place)
        line, counted = line + text.count("\n", counted, place), place
        if text[place : place + 1] == "]":
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            yield line, Problem(error.lineno, f"is not JSON: {error.msg}; nothing after it is read")
            return
        except RecursionError:
            yield line, Problem(line, "is nested too deeply; nothing after it is read")
            return
        yield line, _json_row(value, columns, line)


def _json_row(value: object, columns: frozenset[str], line: int) -> Row | Problem:
    if not isinstance(value, dict):
        return Problem(line, "is not an object")
    given = {column_name(str(name)): content for name, content in value.items()}
    nested = sorted(name for name in columns.intersection(given) if isinstance(given[name], dict | list | bool))
    if nested:
        return Problem(line, f"{nested[0]} is neither text nor a number")
    return {column: "" if given.get(column) is None else str(given[column]).strip() for column in columns}
