"""Answers of clients in one shape: elements and attributes by name, text as `_`; what differs between stacks ends here."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Page = dict[str, Any]


def items(value: Any, *path: str) -> list[Any]:
    """All elements at the end of a path: stacks make a list of several, of one perhaps the one itself, of none nothing."""
    found = [value]
    for name in path:
        inner = [one.get(name) for one in found if isinstance(one, dict)]
        found = [item for one in inner if one is not None for item in (one if isinstance(one, list) else [one])]
    return found


def text(value: Any) -> str:
    """The text of an element, with or without attributes."""
    inner = value.get("_") if isinstance(value, dict) else value
    return "" if inner is None else str(inner)


def number(value: Any) -> Decimal | None:
    """A number, whether its stack knows that it is one."""
    return Decimal(text(value)) if text(value) else None


def instant(value: Any) -> datetime:
    """A dateTime in UTC."""
    return datetime.fromisoformat(text(value)).astimezone(UTC)


def objects(pages: list[Page], *path: str) -> list[Any]:
    """The objects of all pages."""
    return [one for page in pages for one in items(page["result"], *path)]


def remaining_is_true(pages: list[Page], *paths: tuple[str, ...]) -> bool:
    """Whether each page said how many objects came after it, and the last one that nothing is left to go on from."""
    counts = [sum(len(items(page["result"], *path)) for path in paths) for page in pages]
    said = [number(page["header"]["ObjectsRemaining"]) for page in pages]
    return said == [sum(counts[n + 1 :]) for n in range(len(pages))] and not pages[-1]["header"].get("LastSent")


def refused(pages: list[Page]) -> dict[str, str]:
    """errorString of each errorObject, by objectID."""
    return {text(e.get("objectID")): text(e.get("errorString")) for e in objects(pages, "errorObject")}
