"""What is noticed of a device beside its data: another one than before, another configuration than expected, other interval lengths."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from headend.c1219.general_tables import Identification
from headend.c1219.program import MeterProgram
from headend.collection.channel_map import channel_of
from headend.collection.register_reads import register_channels
from headend.errors import WireError
from headend.model.channels import CHANNELS
from headend.model.collection import Progress
from headend.model.endpoint import CONFIGURATIONS
from headend.model.events import ExceptionKind

NAMED_MAX = 6
"""Differences named in one notice; the rest are counted."""


class Notice(NamedTuple):
    """Something to be looked at that took nothing away from the data."""

    kind: ExceptionKind
    reason: str


def serial_no_of(program: MeterProgram, identification: bytes | None) -> str:
    """The serial number in ST1; empty where there is none that can be read."""
    if identification is None:
        return ""
    try:
        return Identification.decode(identification, program.general.formats).serial_no.strip("\0 ")
    except WireError:
        return ""


def exchange_notice(before: str, after: str) -> Notice:
    """Another device answers under the title of the one before."""
    reason = f"the device with serial number {after!r} answers where {before!r} did; its lists are collected anew"
    return Notice(ExceptionKind.EXCHANGED, reason)


def program_notices(program: MeterProgram, configuration: str, progress: Progress, *, known: bool) -> list[Notice]:
    """What a program that was not known before differs in; `known` says whether another one of this device was."""
    notices = []
    differences = list(configuration_differences(program, configuration))
    if differences:
        more = f"; and {len(differences) - NAMED_MAX} more" if len(differences) > NAMED_MAX else ""
        reason = f"not as configuration {configuration!r}: {'; '.join(differences[:NAMED_MAX])}{more}"
        notices.append(Notice(ExceptionKind.CONFIGURATION, reason))
    if known:
        changes = list(_length_changes(program, progress))
        if changes:
            notices.append(Notice(ExceptionKind.INTERVAL_LENGTH, "; ".join(changes)))
    return notices


def configuration_differences(program: MeterProgram, configuration: str) -> Iterator[str]:
    """In what a program is not what an endpoint was shipped with; nothing where that does not say what it measures."""
    expected = CONFIGURATIONS.get(configuration)
    if expected is None or not expected.shippable:
        return
    measured = {
        channel.name: 60 * one.interval_minutes
        for one in program.sets
        for channel in (channel_of(c.unit, c.statistic, c.phase) for c in one.channels)
        if channel is not None
    }
    wanted = dict(expected.intervals)
    for name, seconds in wanted.items():
        if name not in measured:
            yield f"no intervals of {name}"
        elif measured[name] != seconds:
            yield f"intervals of {name} of {measured[name] // 60} minutes, not {seconds // 60}"
    for name in measured:
        if name not in wanted:
            yield f"intervals of {name}, which are not expected"
    registers = {CHANNELS[channel_id].name for _, _, channel_id, _ in register_channels(program)}
    for name in expected.registers:
        if name not in registers:
            yield f"no register of {name}"


def _length_changes(program: MeterProgram, progress: Progress) -> Iterator[str]:
    """Changes of interval length that came after what was collected."""
    for profile_set, done in zip(program.sets, progress.sets, strict=False):
        for before, after in pairwise(profile_set.eras):
            if after.first_seq > done.block_seq >= 0:
                since = f"from block {after.first_seq} on, {before.minutes} before"
                yield f"intervals of set {profile_set.number} are {after.minutes} minutes {since}"
