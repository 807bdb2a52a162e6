"""Billing documents that are meant to hurt, and large ones: refused with a line and a reason, or read in constant memory."""

import gc
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.billing.request_xml import Incoming, Sender, read_document
from headend.billing_requests import BadRequestError, BillingPolicy
from tests.store.world import UTILITY

NS = "urn:open-ami-headend:billing:1"
SENDER = Sender("cis", "http", datetime(2026, 7, 1, 12, tzinfo=UTC))
OPENING = f'<AmiBillingRequest xmlns="{NS}" version="1" requestId="x">\n<Cycle cycleId="07" billDate="2026-07-01"/>\n'
ITEM = '<Item itemId="{}" servicePointId="SP{}"><PassThrough name="route">{}</PassThrough></Item>\n'
CLOSING = "</AmiBillingRequest>"


def read(file: Any) -> int:
    """How many items it has."""
    document = read_document(file, UTILITY, BillingPolicy(), SENDER)
    assert isinstance(document, Incoming)
    try:
        return sum(1 for _ in document.items)
    finally:
        document.close()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
HURTFUL = {
    "a billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>\n{OPENING}<Item itemId="1" servicePointId="&l11;"/>{CLOSING}',
    "entities that grow by squares": f'<!DOCTYPE a [<!ENTITY b "{"b" * 100_000}">]>\n{OPENING}<Item itemId="{"&b;" * 10_000}"/>{CLOSING}',
    "a file of ours": f'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>\n{OPENING}<Item itemId="&f;"/>{CLOSING}',
    "a DTD of somebody's": f'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">\n{OPENING}{ITEM.format(1, 1, "")}{CLOSING}',
    "a DTD that is never closed": "<!DOCTYPE a [" + '<!ENTITY b "c">' * 100_000,
    "elements in elements": OPENING + "<Item>" * 100_000,
    "a name without an end": OPENING + "<" + "a" * 20_000_000,
    "a text without an end": OPENING + '<Item itemId="1"><PassThrough name="a">' + "b" * 20_000_000,
    "attributes without an end": OPENING + "<Item " + " ".join(f'a{n}="1"' for n in range(300_000)) + "/>" + CLOSING,
    "channels without an end": OPENING + '<Item itemId="1">' + '<Channel tou="A"/>' * 500_000 + "</Item>" + CLOSING,
    "spaces without an end": OPENING + " " * 20_000_000 + CLOSING,
    "nothing": "",
    "the head of one": OPENING,
    "one cut off after an item": OPENING + ITEM.format(1, 1, ""),
    "a NUL": OPENING + "\0" + CLOSING,
}


@pytest.mark.parametrize("text", HURTFUL.values(), ids=HURTFUL)
def test_what_is_meant_to_hurt_is_refused_with_a_reason(text: str) -> None:
    before, spent = _forget_peak(), time.process_time()
    with pytest.raises(BadRequestError) as refused:
        read(io.BytesIO(text.encode()))
    assert refused.value.line >= 0
    assert 5 < len(refused.value.what) < 1_000
    assert "ha" * 20 not in refused.value.what
    assert _peak_mib() - before < 64
    assert time.process_time() - spent < 10


class Generated(io.RawIOBase):
    """A request of so many items, made while it is read; read from its beginning again and again."""

    def __init__(self, items: int) -> None:
        self._items = items
        self._rest = b""
        self._pieces = self._made()

    def _made(self) -> Iterator[bytes]:
        yield OPENING.encode()
        for first in range(0, self._items, 1_000):
            yield "".join([ITEM.format(n, n, "x" * 500) for n in range(first, min(first + 1_000, self._items))]).encode()
        yield CLOSING.encode()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        assert (offset, whence) == (0, 0), "from the beginning only"
        self._rest, self._pieces = b"", self._made()
        return 0

    def readinto(self, buffer: Any) -> int:
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def test_memory_is_constant_however_large_a_request_is() -> None:
    read(Generated(2_000))
    before = _forget_peak()
    assert read(Generated(60_000)) == 60_000
    assert _peak_mib() - before < 16, "of 35 MB"


def _forget_peak() -> float:
    """From now on look for the peak anew; MiB resident now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS:")


def _peak_mib() -> float:
    return _status("VmHWM:")


def _status(name: str) -> float:
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)) / 1024
