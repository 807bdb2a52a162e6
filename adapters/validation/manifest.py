"""Whether the files of a manifest are beside it, and are what it says."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from adapters.delivery.spool import sha256_of
from adapters.validation.problem import Problem

MANIFEST = "urn:open-ami-headend:manifest:1"


def manifest_problems(path: Path) -> Iterator[Problem]:
    """Of each file; nothing where none of them is there, as where a manifest stands alone."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    files = [one for one in etree.parse(path, parser).getroot() if isinstance(one.tag, str)]
    present = [one for one in files if _beside(path, one.get("name") or "").is_file()]
    if not present:
        return
    for one in files:
        name, line = one.get("name") or "", one.sourceline or 0
        file = _beside(path, name)
        if not file.is_file():
            yield Problem(line, f"{name} is not here")
        elif str(file.stat().st_size) != one.get("octets"):
            yield Problem(line, f"{name} has {file.stat().st_size} octets, and the manifest says {one.get('octets')}")
        elif sha256_of(file).hex() != one.get("sha256"):
            yield Problem(line, f"{name} has other contents than the manifest says: its SHA-256 is {sha256_of(file).hex()}")


def _beside(manifest: Path, name: str) -> Path:
    return manifest.with_name(Path(name).name or "unnamed")
