"""What tshark makes of a capture: an independent reader that decrypts and verifies every frame it can.

It cannot read segments, nor verify messages whose EPSEM is of certain sizes (its own bug): those are known by our parser, and set apart.
Source  reference/field-protocol-c1222.md 0, pitfalls 2 to 6; 2, last paragraph
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headend.c1222.message import Apdu, parse_apdu
from tests.edge.capture import Payload, read_capture

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

_C1222_FIELDS = ("crypto_good", "crypto_bad", "cmd", "err", "data")
_FIELDS = ("frame.number", *(f"c1222.{name}" for name in _C1222_FIELDS), "_ws.expert.message", "_ws.malformed")
_UNVERIFIABLE_OCTETS = {*range(124, 128), *range(250, 256)}


@dataclass(frozen=True)
class Frame:
    """One datagram as tshark and as our parser saw it."""

    number: int
    payload: Payload
    apdu: Apdu
    good: bool
    bad: bool
    commands: tuple[int, ...]
    responses: tuple[int, ...]
    data: tuple[bytes, ...]
    complaints: str

    @property
    def is_unverifiable(self) -> bool:
        """Of a size that tshark fails to verify: the EPSEM octets, code included, that follow tag 81."""
        return self.apdu.mode > 0 and not self.apdu.is_segment and 1 + len(self.apdu.payload) in _UNVERIFIABLE_OCTETS


@dataclass
class Tally:
    """Frame numbers by what became of them; `failed` must stay empty."""

    verified: list[int] = field(default_factory=list)
    clear: list[int] = field(default_factory=list)
    unverifiable: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)


def decode(capture: Path, keys: Mapping[int, bytes], directory: Path, ports: Iterable[int] = ()) -> list[Frame]:
    """Every datagram of a capture, read with one key for each key id.

    `directory` is for tshark's configuration, so that no key shows in a command line; `ports` are those of C12.22 besides 1153.
    tshark holds one key for a key id: where devices have keys of their own, give it a capture of one device at a time (`of_device`).
    """
    assert TSHARK is not None
    lines = "".join(f'"{key_id}",{key.hex()}\n' for key_id, key in keys.items())
    (directory / "c1222_decryption_table").write_text(lines, encoding="ascii")
    command = [TSHARK, "-r", str(capture), "-o", "c1222.decrypt:TRUE", "-o", "c1222.baseoid:2.16.124.113620.1.22.0"]
    for port in set(ports) - {1153}:
        command += ["-d", f"udp.port=={port},c1222"]
    command += ["-T", "fields", "-E", "separator=|", *(part for name in _FIELDS for part in ("-e", name))]
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(directory)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    payloads = read_capture(capture)
    frames = [_frame(line, payloads) for line in run.stdout.splitlines()]
    assert len(frames) == len(payloads)
    return frames


def tally(frames: Iterable[Frame]) -> Tally:
    """Sorts frames; whatever should have verified and did not is in `failed`, with tshark's reason."""
    counts = Tally()
    for frame in frames:
        if frame.apdu.is_segment:
            counts.segments.append(frame.number)
        elif frame.is_unverifiable:
            counts.unverifiable.append(frame.number)
        elif frame.complaints or frame.bad or (frame.apdu.mode and not frame.good):
            counts.failed.append((frame.number, frame.complaints or "code not verified"))
        elif frame.apdu.mode:
            counts.verified.append(frame.number)
        else:
            counts.clear.append(frame.number)
    return counts


def of_device(capture: Path, ap_title: bytes, target: Path) -> int:
    """Write to `target` the frames of `capture` that go to or come from one device (absolute title); how many they were."""
    octets = capture.read_bytes()
    kept, offset, count = octets[:24], 24, 0
    for payload in read_capture(capture):
        end = offset + 16 + int.from_bytes(octets[offset + 8 : offset + 12], "little")
        apdu = parse_apdu(payload.octets)
        if ap_title in {apdu.called.absolute, apdu.calling.absolute}:
            kept += octets[offset:end]
            count += 1
        offset = end
    target.write_bytes(kept)
    return count


def _frame(line: str, payloads: list[Payload]) -> Frame:
    number, good, bad, commands, responses, data, complaints, malformed = line.split("|", len(_FIELDS) - 1)
    payload = payloads[int(number) - 1]
    return Frame(
        int(number),
        payload,
        parse_apdu(payload.octets),
        good == "1",
        bad == "1",
        tuple(int(code, 16) for code in commands.split(",") if code),
        tuple(int(code, 16) for code in responses.split(",") if code),
        tuple(bytes.fromhex(part) for part in data.split(",") if part),
        "; ".join(filter(None, (complaints, malformed))),
    )
