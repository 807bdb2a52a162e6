"""Sessions in which a partner is told which meters are other than at the end of its last one.

What a session tells is fixed when it begins, by the number of the last change of master data: pages of one session agree, whatever is
changed meanwhile, and the next session begins where it ended.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headend.model.endpoint import MeterEntry
from headend.ports import Page


class MeterList(StrEnum):
    """Which meters are told of: all that are read, or those with a connect/disconnect device."""

    AMR = "AMR"
    CD = "CD"


class Verb(StrEnum):
    """What became of a meter since the session before."""

    NEW = "New"
    CHANGED = "Change"
    GONE = "Delete"


@dataclass(frozen=True, slots=True)
class MeterSession:
    """One session: it tells of changes after number `after` up to number `until`; of all meters where `after` is None."""

    session_id: str
    meter_list: MeterList
    after: int | None
    until: int


@dataclass(frozen=True, slots=True)
class ModifiedMeter:
    """A meter as it is now; `verb` is None where a session tells of all meters."""

    entry: MeterEntry
    verb: Verb | None


class MeterSessions(Protocol):
    """Sessions of a utility's partners."""

    def begin_meter_session(self, partner: str, meter_list: MeterList, previous: str, now: datetime) -> Awaitable[MeterSession]:
        """A session that begins where `previous` ended; one that is not known, or empty, stands for none."""

    def meter_session(self, partner: str, meter_list: MeterList, previous: str, session_id: str) -> Awaitable[MeterSession | None]:
        """A session under way: the one named, else the partner's newest that followed `previous`."""

    def modified_meters(self, session: MeterSession, after: str, limit: int) -> Awaitable[Page[ModifiedMeter]]:
        """Meters that a session tells of in order of their numbers, from the one after `after`."""
