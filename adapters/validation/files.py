"""A file → what is wrong with it: that it is no XML, that its schema does not allow it, that a manifest's files are not what it says.

Which schema is meant follows from the root element's namespace. Nothing outside the file is ever fetched, and entities are not expanded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import xmlschema
from lxml import etree

from adapters.validation.cmep import cmep_problems
from adapters.validation.manifest import MANIFEST, manifest_problems
from adapters.validation.problem import Problem
from headend.errors import RequestError
from wsdl import EXCHANGES, exchange_schema

PROBLEMS_MAX = 100
"""Problems told of one file: whoever has mended so many looks again."""

TREE_OCTETS_MAX = 64_000_000
"""Largest file that is held as a tree, so that problems have lines; of larger ones they have paths."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a document begins with."""

    namespace: str
    name: str


def problems_of(path: Path, limit: int = PROBLEMS_MAX) -> list[Problem]:
    """What is wrong with a file, [] where nothing is. Raises RequestError for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            first = file.read(64)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
    if first.startswith(b"MEPMD") or (not first and path.suffix == ".csv"):
        return list(islice(cmep_problems(path), limit))
    return list(islice(_xml_problems(path), limit))


def _xml_problems(path: Path) -> Iterator[Problem]:
    try:
        root = _read_through(path)
    except etree.XMLSyntaxError as error:
        yield Problem(error.lineno or 0, f"this is no well-formed XML: {error.msg}")
        return
    except _DocumentTypeError:
        yield Problem(1, "a DOCTYPE is not allowed: entities would be expanded")
        return
    if root.namespace not in EXCHANGES:
        known = ", ".join(sorted(EXCHANGES))
        yield Problem(1, f"no schema is known for <{root.name}> of namespace {root.namespace!r}; there are those of {known}")
        return
    yield from _schema_problems(path, root.namespace)
    if root.namespace == MANIFEST:
        yield from manifest_problems(path)


class _DocumentTypeError(Exception):
    """Our own signal: the document has a DOCTYPE."""


def _read_through(path: Path) -> _Beginning:
    """Parse all of it, keep nothing; what it begins with. Raises XMLSyntaxError."""
    root: _Beginning | None = None
    with path.open("rb") as file:
        for _, element in etree.iterparse(file, events=("start",), resolve_entities=False, no_network=True, load_dtd=False, recover=False):
            if root is None:
                if element.getroottree().docinfo.doctype:
                    raise _DocumentTypeError
                name = etree.QName(element)
                root = _Beginning(name.namespace or "", name.localname)
            parent = element.getparent()
            if parent is not None and element.getprevious() is not None:
                # What is before it has been read.
                del parent[0]
    assert root is not None, "a well-formed document has a root"
    return root


def _schema_problems(path: Path, namespace: str) -> Iterator[Problem]:
    schema = _schema(namespace)
    if path.stat().st_size > TREE_OCTETS_MAX:
        source: Any = xmlschema.XMLResource(str(path), lazy=True, allow="local", defuse="always")
    else:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        source = etree.parse(path, parser)
    for error in schema.iter_errors(source):
        line = getattr(error, "sourceline", None) or 0
        yield Problem(line, _words(error))


def _words(error: Any) -> str:
    """Where and why, without the schema's innards."""
    reason = str(error.reason or error.message).strip().rstrip(".")
    element = getattr(error.elem, "tag", "")
    name = element.rsplit("}", 1)[-1] if isinstance(element, str) else ""
    named = getattr(error.elem, "attrib", {})
    which = next((f' {key}="{named[key]}"' for key in ("no", "id", "itemId", "channel", "end", "name", "value") if key in named), "")
    return f"<{name}{which}> at {error.path}: {reason}" if name else reason


@lru_cache(maxsize=8)
def _schema(namespace: str) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(exchange_schema(namespace))
