"""Named groups of meters: the port that keeps them, and which meters may enter one. Pure.

A meter group is what reads and schedules are asked for; a configuration group is the set of meters that are to be programmed alike.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headend.errors import RequestError, UnknownMeterError, shown
from headend.limits import GROUP_METERS_MAX
from headend.model.endpoint import Commodity
from headend.model.refusal import Refusal


class GroupKind(StrEnum):
    """What a group is for; the two kinds have names of their own."""

    METERS = "meters"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Which group is meant. `name` is its number or, where no group has that number, its name."""

    kind: GroupKind
    name: str


@dataclass(frozen=True, slots=True)
class MeterGroup:
    """A group and its members' meter numbers in the order in which they entered."""

    kind: GroupKind
    group_id: str
    name: str
    meter_nos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answering:
    """Where a partner wants to be told, and under which transaction id; empty where it wants nothing."""

    response_url: str = ""
    transaction_id: str = ""


NOBODY = Answering()
"""Nobody wants to be told."""


class UnknownGroupError(RequestError):
    """The utility has no group of this number or name."""

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        what = "meter group" if key.kind is GroupKind.METERS else "configuration group"
        super().__init__(f"{what} {shown(key.name)} is not known")


class MeterGroups(Protocol):
    """Groups of a utility. Members that cannot be taken are refused one by one, in order; the others enter or leave."""

    def group_members(self, group_id: str) -> Awaitable[Sequence[str] | None]:
        """Meter numbers of a meter group, by its number or name, in order; None for an unknown one."""

    def group(self, key: GroupKey) -> Awaitable[MeterGroup | None]:
        """A group whole; None for an unknown one."""

    def group_names(self, kind: GroupKind, meter_no: str | None = None) -> Awaitable[list[str]]:
        """Names of all groups of a kind, or of those that a meter is in. Raises UnknownMeterError."""

    def establish_group(self, group: MeterGroup, commodity: Commodity | None, now: datetime) -> Awaitable[list[Refusal]]:
        """Make a group, or put the members of one that is there in place of those it had. Raises RequestError for one group too many."""

    def delete_group(self, key: GroupKey) -> Awaitable[None]:
        """Forget a group; its meters stay. Raises UnknownGroupError."""

    def insert_in_group(
        self, key: GroupKey, meter_nos: Sequence[str], commodity: Commodity | None, answering: Answering, now: datetime
    ) -> Awaitable[list[Refusal]]:
        """Put meters behind those that are in a group.

        A configuration group begins with its first member, because the contracts have no operation that establishes one.
        Raises UnknownGroupError for a meter group.
        """

    def remove_from_group(self, key: GroupKey, meter_nos: Sequence[str]) -> Awaitable[list[Refusal]]:
        """Take meters out of a group. Raises UnknownGroupError."""


def entering(
    meter_nos: Sequence[str], known: Mapping[str, Commodity], inside: Collection[str], room: int, commodity: Commodity | None
) -> tuple[list[str], list[Refusal]]:
    """(meters that enter a group, what is wrong with the others).

    `known` says what each known meter measures, `inside` which of these meters are in the group already, `room` how many more it takes,
    `commodity` what the group is for, where that was said.
    """
    taken: dict[str, None] = {}
    refusals: list[Refusal] = []
    for meter_no in meter_nos:
        if problem := _problem(meter_no, known, commodity):
            refusals.append(Refusal(meter_no, problem))
        elif meter_no in taken:
            refusals.append(Refusal(meter_no, f"meter {shown(meter_no)} stands in the list twice"))
        elif room <= 0 and meter_no not in inside:
            refusals.append(Refusal(meter_no, f"the group has {GROUP_METERS_MAX} meters, which is the most"))
        else:
            taken[meter_no] = None
            room -= meter_no not in inside
    return [meter_no for meter_no in taken if meter_no not in inside], refusals


def leaving(meter_nos: Sequence[str], known: Collection[str], inside: Collection[str]) -> tuple[list[str], list[Refusal]]:
    """(meters that leave a group, what is wrong with the others)."""
    taken: dict[str, None] = {}
    refusals: list[Refusal] = []
    for meter_no in meter_nos:
        if meter_no not in known:
            refusals.append(Refusal(meter_no, str(UnknownMeterError(meter_no)) if meter_no else "meter number is missing"))
        elif meter_no not in inside:
            refusals.append(Refusal(meter_no, f"meter {shown(meter_no)} is not in the group"))
        elif meter_no in taken:
            refusals.append(Refusal(meter_no, f"meter {shown(meter_no)} stands in the list twice"))
        else:
            taken[meter_no] = None
    return list(taken), refusals


def _problem(meter_no: str, known: Mapping[str, Commodity], commodity: Commodity | None) -> str:
    if not meter_no:
        return "meter number is missing"
    if meter_no not in known:
        return str(UnknownMeterError(meter_no))
    if commodity is not None and known[meter_no] is not commodity:
        return f"meter {shown(meter_no)} measures {known[meter_no].value}, and the group was said to be {commodity.value}"
    return ""
