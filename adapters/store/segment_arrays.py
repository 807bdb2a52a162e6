"""Runs of intervals in arrays as segments: many at once what `segments.pack_segment` makes one by one."""

import numpy as np
from numpy.typing import NDArray

from adapters.store.segments import NO_FLAGS, Head, Segment, head_octets, head_of, packed_flags
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import DAY_SECONDS


def pack_runs(runs: IntervalRuns) -> list[Segment]:
    """A segment for each run."""
    values = runs.values
    smallest = values.min(axis=2)
    # Unsigned, so that the widest spread does not wrap round.
    offsets = values.view(np.uint64) - smallest.view(np.uint64)[:, :, np.newaxis]
    forms = _forms(smallest, offsets.max(axis=2))
    flags = _flags(runs)
    alike: dict[tuple[bytes, int], list[int]] = {}
    for at, form in enumerate(forms):
        alike.setdefault((form.tobytes(), flags[at][0]), []).append(at)
    segments: dict[int, Segment] = {}
    for (form, flags_form), members in alike.items():
        head, rows = _rows(runs, form, flags_form, smallest[members], offsets[members])
        for at, octets in zip(members, rows, strict=True):
            segments[at] = Segment(head, octets + flags[at][1])
    return [segments[at] for at in range(len(forms))]


def _forms(smallest: NDArray[np.int64], spread: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The form of each channel of each run, as in a segment's head."""
    of_smallest = np.full(smallest.shape, 2, np.uint8)
    for octets in (2, 4):
        limit = 1 << 8 * octets - 1
        of_smallest[(smallest < -limit) | (smallest >= limit)] = 2 * octets
    of_offset = np.where(spread > 0, np.uint8(1), np.uint8(0))
    for octets in (1, 2, 4):
        of_offset[spread >> np.uint64(8 * octets) > 0] = 2 * octets
    return of_smallest << np.uint8(4) | of_offset


def _rows(
    runs: IntervalRuns, form: bytes, flags_form: int, smallest: NDArray[np.int64], offsets: NDArray[np.uint64]
) -> tuple[Head, list[bytes]]:
    """The head of runs whose channels have the same forms, and of each run the octets up to the flags."""
    members, _, count = offsets.shape
    channels = [(channel, exponent, form[at]) for at, (channel, exponent) in enumerate(runs.channels)]
    head = head_octets(DAY_SECONDS // runs.interval_seconds, runs.first, count, channels, flags_form)
    parts = [np.broadcast_to(np.frombuffer(head, np.uint8), (members, len(head)))]
    parts += [_octets(smallest[:, at : at + 1], f"<i{one >> 4}") for at, one in enumerate(form)]
    parts += [_octets(offsets[:, at], f"<u{one & 15}") for at, one in enumerate(form) if one & 15]
    whole = np.concatenate(parts, axis=1)
    octets, size = whole.tobytes(), whole.shape[1]
    return head_of(head), [octets[start : start + size] for start in range(0, members * size, size)]


def _octets(integers: NDArray[np.int64] | NDArray[np.uint64], kind: str) -> NDArray[np.uint8]:
    """Integers[runs, intervals] as octets[runs, octets]."""
    return integers.astype(kind).view(np.uint8).reshape(len(integers), -1)


def _flags(runs: IntervalRuns) -> list[tuple[int, bytes]]:
    """How flags stand in each segment, and their octets."""
    flags = [(NO_FLAGS, b"")] * len(runs.days)
    if runs.flags is not None:
        known: dict[bytes, tuple[int, bytes]] = {}
        for at in np.flatnonzero(runs.flags.any(axis=(1, 2))).tolist():
            octets = runs.flags[at].tobytes()
            if octets not in known:
                known[octets] = packed_flags(runs.flags[at].tolist())
            flags[at] = known[octets]
    return flags
