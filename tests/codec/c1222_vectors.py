"""The C12.22 vectors, by kind (see tests/vectors/SOURCES.md)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headend.c1222.message import Cipher

DIRECTORY = Path(__file__).parent.parent / "vectors"


@dataclass(frozen=True)
class Vector:
    """Octets, what they mean, and the key they are under."""

    name: str
    octets: bytes
    decoded: dict[str, Any]
    key: bytes | None

    @property
    def cipher(self) -> Cipher | None:
        return None if self.key is None else Cipher(self.key)

    def __repr__(self) -> str:
        return self.name


def _load() -> list[Vector]:
    entries = json.loads((DIRECTORY / "c1222.json").read_text(encoding="ascii"))
    return [Vector(e["name"], bytes.fromhex(e["hex"]), e["decoded"], bytes.fromhex(e["key"]) if e["key"] else None) for e in entries]


VECTORS = {vector.name: vector for vector in _load()}
PRIMITIVES = [v for v in VECTORS.values() if v.name.startswith("eaxprime")]
SEGMENTS = [v for v in VECTORS.values() if v.name.startswith("segment_at")]
MESSAGES = [v for v in VECTORS.values() if "services" in v.decoded]
