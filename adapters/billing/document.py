"""A document that comes in, element by element: validated by its schema while it is read, never held whole.

There is no DOCTYPE, no entity, nothing is fetched. Tags and texts are bounded here, as one with a hundred thousand attributes would cost a
hundred times its size, and so are the elements of an item; depth is bounded by libxml2, octets by whoever reads them here.
"""

from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

from lxml import etree

from headend.billing_requests import BadRequestError
from wsdl import exchange_schema

BILLING = "urn:open-ami-headend:billing:1"

TREE_OCTETS_MAX = 32_000_000
"""Largest document of which a tree is made to find the line of what its schema does not allow, in octets."""

OPEN_OCTETS_MAX = 65_536
"""Octets that may come without the end of a tag; the longest that the schema allows have a tenth of that."""

ELEMENTS_MAX = 100
"""Elements that a child of the root may hold; the schema allows 84."""


class _Tags:
    """A document as it is read, refused where no tag ends for too long."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._open = 0

    def read(self, size: int = -1, /) -> bytes:
        octets = self._file.read(size)
        last = octets.rfind(b">")
        self._open = self._open + len(octets) if last < 0 else len(octets) - 1 - last
        if self._open > OPEN_OCTETS_MAX:
            raise _EndlessError
        return octets


class _EndlessError(Exception):
    """A tag or a text is too long."""


def elements(file: BinaryIO) -> Generator[tuple[str, Any], None, None]:
    """The root when it begins, then every child of it, whole: (name, element). What was told is forgotten. Raises BadRequestError."""
    depth = near = inside = 0
    try:
        for event, element in _events(file):
            near = element.sourceline or near
            if event == "start":
                depth += 1
                inside = inside + 1 if depth > 2 else 0
                if inside > ELEMENTS_MAX:
                    raise BadRequestError(near, f"an element has more than {ELEMENTS_MAX} others in it")
                if depth == 1:
                    yield _root(element)
                continue
            depth -= 1
            if depth == 1:
                yield etree.QName(element).localname, element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise _refusal(file, error, near) from None
    except _EndlessError:
        raise BadRequestError(near, f"about here: a tag or a text has more than {OPEN_OCTETS_MAX} octets") from None
    if depth or not near:
        # What is cut off in the middle of a tag or a DOCTYPE is no mistake to every version of the parser.
        raise BadRequestError(near, "the document ends before its root does")


def _events(file: BinaryIO) -> Iterator[Any]:
    return iter(
        etree.iterparse(
            _Tags(file),
            events=("start", "end"),
            schema=_schema(),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
    )


def _root(element: Any) -> tuple[str, Any]:
    if element.getroottree().docinfo.doctype:
        raise BadRequestError(1, "a DOCTYPE is not allowed: entities would be expanded")
    name = etree.QName(element)
    if name.namespace != BILLING:
        raise BadRequestError(element.sourceline or 1, f"the root is <{name.localname}> of {name.namespace!r}, not of {BILLING!r}")
    return name.localname, element


def _refusal(file: BinaryIO, error: etree.XMLSyntaxError, near: int) -> BadRequestError:
    """What is wrong, and where. A schema that is held against what streams by knows no lines, so the document is looked at once more."""
    if error.lineno:
        return BadRequestError(error.lineno, _plain(error.msg))
    if file.seek(0, 2) <= TREE_OCTETS_MAX:
        file.seek(0)
        schema, parser = _schema(), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            if not schema.validate(etree.parse(_Tags(file), parser)):
                first = schema.error_log[0]
                return BadRequestError(first.line, _plain(first.message))
        except etree.XMLSyntaxError as broken:
            return BadRequestError(broken.lineno or near, _plain(broken.msg))
        except _EndlessError:
            pass
    return BadRequestError(near, f"about here: {_plain(error.msg)}")


def _plain(message: str | None) -> str:
    return (message or "this is no XML").replace(f"{{{BILLING}}}", "").split(", line ")[0].strip()


def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(exchange_schema(BILLING)))
