"""A device's clock over time, and the runs of profile slots that it makes.

World time is true UTC in unix seconds; device time is what the device's clock says, in UTC seconds as well (the zone it shows is a
matter of its tables). A *piece* is a stretch between two settings of the clock. A *run* is a stretch of slots of equal length that
follow one another without a break: a jump across a slot boundary and a changed interval length begin a new run, with a new block.
Inside a run the slots keep their arithmetic; a jump that stays within a slot only marks it.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

PARTIAL, LONG, SKIPPED = 2, 3, 4
"""Codes of the extended interval status."""
DST_BIT, POWER_FAIL_BIT, FORWARD_BIT, BACK_BIT = 1, 2, 4, 8
"""Common bits of the extended interval status (high nibble)."""

_MILLION: Final = 1_000_000


class Mark(NamedTuple):
    """What the status of one slot says: a code and common bits."""

    code: int
    bits: int


class ClockPiece(NamedTuple):
    """From world second `since` on, the clock is `offset` seconds ahead and gains `ppm` microseconds a second."""

    since: int
    offset: int = 0
    ppm: int = 0

    def device(self, world: int) -> int:
        """Device time of a world instant."""
        return world + self.offset + (world - self.since) * self.ppm // _MILLION

    def world(self, device: int) -> int:
        """The first world second at which the clock shows `device` or later."""
        since_set = device - self.offset - self.since
        world = self.since + since_set * _MILLION // (_MILLION + self.ppm) - 1
        while self.device(world) < device:
            world += 1
        return world

    @property
    def is_true(self) -> bool:
        """Whether device time is world time."""
        return not self.offset and not self.ppm


@dataclass(frozen=True, slots=True)
class Run:
    """Slots `start` + i × `length` (device seconds), recorded from world second `began` until `ended` (None: still).

    `first_seq` is the sequence number of its first block. `pieces` are the clock pieces it lived through, oldest first.
    """

    first_seq: int
    start: int
    length: int
    began: int
    pieces: tuple[ClockPiece, ...]
    ended: int | None = None
    marks: tuple[tuple[int, Mark], ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether every slot boundary is a world instant of the same number and none is cut."""
        whole = self.ended is None or (self.ended - self.start) % self.length == 0
        return whole and len(self.pieces) == 1 and self.pieces[0].is_true and self.began <= self.start

    def world_of(self, device: int) -> int:
        """When, in world time, the run's clock passed `device`; kept within the time the run recorded."""
        for piece in reversed(self.pieces):
            world = piece.world(device)
            if world >= piece.since:
                break
        world = max(world, self.began)
        return world if self.ended is None else min(world, self.ended)

    def slots_done(self, world: int) -> int:
        """Slots that are over at a world instant; a cut last slot counts once the run has ended."""
        if self.ended is not None and world >= self.ended:
            last = self.pieces[-1].device(self.ended) - 1
            return max(0, (last - self.start) // self.length + 1)
        piece = self.pieces[_piece_at(self.pieces, world)]
        return max(0, (piece.device(world) - self.start) // self.length)

    def mark_of(self, slot: int) -> Mark | None:
        """The mark of one slot."""
        return next((mark for number, mark in self.marks if number == slot), None)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The clock pieces and the runs of each profile set of one device; `intervals` are the sets' intervals per block."""

    pieces: tuple[ClockPiece, ...]
    runs: tuple[tuple[Run, ...], ...]
    intervals: tuple[int, ...]

    def device(self, world: int) -> int:
        """Device time at a world instant."""
        return self.pieces[_piece_at(self.pieces, world)].device(world)

    def world_of(self, device: int) -> int:
        """The last world instant at which the clock came to `device`."""
        for piece in reversed(self.pieces):
            world = piece.world(device)
            if world >= piece.since:
                break
        return world

    def set_clock(self, world: int, device: int) -> "Timeline":
        """The timeline after the clock was set to `device` at `world`."""
        old = self.pieces[-1]
        before = old.device(world)
        piece = ClockPiece(world, device - world, old.ppm)
        runs = tuple(_after_jump(r, n, piece, before, device) for r, n in zip(self.runs, self.intervals, strict=True))
        return Timeline((*self.pieces, piece), runs, self.intervals)

    def drift(self, world: int, ppm: int) -> "Timeline":
        """The timeline when the clock begins to gain `ppm` microseconds a second; no slot is cut by that."""
        piece = ClockPiece(world, self.device(world) - world, ppm)
        runs = tuple((*r[:-1], replace(r[-1], pieces=(*r[-1].pieces, piece))) for r in self.runs)
        return Timeline((*self.pieces, piece), runs, self.intervals)

    def mark(self, world: int, mark: Mark) -> "Timeline":
        """The timeline with the slots that are being recorded at `world` marked."""
        return replace(self, runs=tuple((*r[:-1], _marked(r[-1], r[-1].pieces[-1].device(world), mark)) for r in self.runs))


def _piece_at(pieces: tuple[ClockPiece, ...], world: int) -> int:
    if len(pieces) == 1:
        return 0
    return max(0, bisect_right(pieces, world, key=lambda piece: piece.since) - 1)


def _after_jump(runs: tuple[Run, ...], intervals: int, piece: ClockPiece, before: int, after: int) -> tuple[Run, ...]:
    """The runs of a set whose clock jumped from `before` to `after` at `piece.since`."""
    run = runs[-1]
    bits = FORWARD_BIT if after > before else BACK_BIT
    if (before - run.start) // run.length == (after - run.start) // run.length:
        mark = Mark(PARTIAL if after > before else LONG, bits)
        return (*runs[:-1], _marked(replace(run, pieces=(*run.pieces, piece)), after, mark))
    ended = replace(run, ended=piece.since)
    if (before - run.start) % run.length:
        ended = _marked(ended, before - 1, Mark(PARTIAL, bits))
    blocks = -(-ended.slots_done(piece.since) // intervals)
    start = run.start + (after - run.start) // run.length * run.length
    begun = Run(run.first_seq + blocks, start, run.length, piece.since, (piece,))
    if start < after:
        begun = _marked(begun, after, Mark(PARTIAL, bits))
    return (*runs[:-1], ended, begun) if blocks else (*runs[:-1], begun)


def _marked(run: Run, device: int, mark: Mark) -> Run:
    """The run with the slot that `device` lies in marked; an earlier mark of it keeps its bits."""
    slot = (device - run.start) // run.length
    earlier = run.mark_of(slot)
    merged = mark if earlier is None else Mark(mark.code or earlier.code, mark.bits | earlier.bits)
    return replace(run, marks=(*((n, m) for n, m in run.marks if n != slot), (slot, merged)))
