"""A document that comes in, element by element: validated by its schema while it is read, never held whole.

There is no DOCTYPE, no entity, nothing is fetched; text and depth are bounded by libxml2, the octets by whoever reads them here.
"""

from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

from lxml import etree

from headend.billing_requests import BadRequestError
from wsdl import exchange_schema

BILLING = "urn:open-ami-headend:billing:1"

TREE_OCTETS_MAX = 32_000_000
"""Largest document of which a tree is made to find the line of what its schema does not allow, in octets."""


def elements(file: BinaryIO) -> Generator[tuple[str, Any], None, None]:
    """The root when it begins, then every child of it, whole: (name, element). What was told is forgotten. Raises BadRequestError."""
    depth = near = 0
    try:
        for event, element in _events(file):
            near = element.sourceline or near
            if event == "start":
                depth += 1
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


def _events(file: BinaryIO) -> Iterator[Any]:
    return iter(
        etree.iterparse(
            file,
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
            if not schema.validate(etree.parse(file, parser)):
                first = schema.error_log[0]
                return BadRequestError(first.line, _plain(first.message))
        except etree.XMLSyntaxError as broken:
            return BadRequestError(broken.lineno or near, _plain(broken.msg))
    return BadRequestError(near, f"about here: {_plain(error.msg)}")


def _plain(message: str | None) -> str:
    return (message or "this is no XML").replace(f"{{{BILLING}}}", "").split(", line ")[0].strip()


def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(exchange_schema(BILLING)))
