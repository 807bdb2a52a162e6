"""Alarm hygiene: which events are told at once, held, told as history only, or told to nobody, and why. Pure.

An outage waits for its hold-off, and is momentary where the supply is back before. A supply that changes again and again is told once it
has come to rest. What repeats what was told is history, and so is what is read from a log: whoever answers has power. What somebody
silenced is withheld, and so is what one device tells beyond all measure. Every decision says its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from headend.model.event_case import MOMENTARY, CaseState, Decision, EventCase, EventNumber
from headend.model.event_kinds import EventCatalogue, OutageMeaning
from headend.model.events import EventPath
from headend.model.instants import DAY_US, SECOND_US, to_us
from headend.model.silencing import Silencing

CHANGES_KEPT = 32
"""Changes of a device's supply that are remembered: a few more than make a flicker."""



@dataclass(frozen=True, slots=True)
class HygienePolicy:
    """Choices of a utility; durations in seconds.

    `hold_off_seconds` an outage waits. `flicker_changes` of the supply within `flicker_seconds` are a flicker, which is told once the
    supply has not changed for `quiet_seconds`. An outage repeats the one before where it comes within `repeat_seconds` of it. A device
    that tells more than `flood_events` within `flood_seconds` is not listened to for the rest of them. `momentaries_a_day` of them are an
    event of their own, 0: never. More than `storm_outages` within `storm_seconds` are a storm: what is told waits `storm_delay_seconds`
    for more, but for the meters of the group `bellwethers`, which go first. What the daily collection reads from logs, and is no alarm, is
    told from `logged_minutes` after local midnight on.
    """

    hold_off_seconds: float = 30.0
    flicker_changes: int = 6
    flicker_seconds: float = 600.0
    quiet_seconds: float = 300.0
    repeat_seconds: float = 600.0
    flood_events: int = 120
    flood_seconds: float = 3_600.0
    momentaries_a_day: int = 5
    storm_outages: int = 500
    storm_seconds: float = 60.0
    storm_delay_seconds: float = 3.0
    bellwethers: str = ""
    logged_minutes: int = 0


class Held(NamedTuple):
    """A change of the supply that waits."""

    number: EventNumber
    meaning: OutageMeaning
    received_us: int


class Change(NamedTuple):
    """A change of the supply."""

    meaning: OutageMeaning
    occurred_us: int


class Memory(NamedTuple):
    """What is remembered of a device from one event to the next.

    `told` is the change that was told last, `newest` the one that happened last. `changes` and `momentaries` are when they were received,
    in microseconds. `flood` is when the present count began, and the count.
    """

    told: Change | None = None
    held: Held | None = None
    newest: Change | None = None
    changes: tuple[int, ...] = ()
    momentaries: tuple[int, ...] = ()
    flood: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Rules:
    """What cases are judged by. `planned` are endpoints whose supply is meant to be off, with the words of who said so."""

    policy: HygienePolicy
    catalogue: EventCatalogue
    silencings: Sequence[Silencing] = ()
    planned: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is remembered afterwards, what became of the case and of one that was held; `momentaries`: so many are worth telling."""

    memory: Memory
    decisions: Mapping[EventNumber, Decision]
    momentaries: int = 0


def judge(case: EventCase, memory: Memory, rules: Rules, now: datetime) -> Judgement:
    """Judge a case that is new, or whose time has come."""
    if case.state is CaseState.HELD:
        return _judge_held(case, memory, rules, now)
    memory, flooded = _counted(case, memory, rules.policy)
    silenced = next((one.words for one in rules.silencings if one.covers(case, now)), "")
    if not silenced and case.device.muted:
        silenced = "muted: the meter's record says so"
    kind = rules.catalogue.kinds.get(case.code)
    meaning = None if kind is None else kind.outage
    if silenced or (flooded and meaning is None):
        return Judgement(memory, {case.number: Decision(CaseState.WITHHELD, silenced or flooded)})
    if meaning is None:
        return Judgement(memory, {case.number: Decision(CaseState.TOLD)})
    judged = _judge_supply(case, meaning, memory, rules)
    if flooded and judged.decisions[case.number].state is CaseState.LOGGED:
        return replace(judged, decisions={**judged.decisions, case.number: Decision(CaseState.WITHHELD, flooded)})
    return judged


def _counted(case: EventCase, memory: Memory, policy: HygienePolicy) -> tuple[Memory, str]:
    """The memory with one more event in it, and why this is one too many."""
    received = to_us(case.received)
    began, count = memory.flood
    if received - began > policy.flood_seconds * SECOND_US:
        began, count = received, 0
    count += 1
    words = f"flood: the {count}th event of this device within {policy.flood_seconds:g} s" if count > policy.flood_events else ""
    return memory._replace(flood=(began, count)), words


def _judge_supply(case: EventCase, meaning: OutageMeaning, memory: Memory, rules: Rules) -> Judgement:
    occurred, received = to_us(case.occurred), to_us(case.received)
    is_out = meaning is OutageMeaning.OUTAGE
    newest, policy = memory.newest, rules.policy
    if case.path is EventPath.LOG and (is_out or not _is_awaited(memory)):
        words = "read from the log: whoever answers has power" if is_out else "read from the log: nobody was told of an outage"
        return _logged(case, memory, words)
    if newest is not None and newest.meaning is not meaning and occurred < newest.occurred_us:
        return _logged(case, memory, f"overtaken: the {newest.meaning.value} came before it")
    new = () if newest is not None and newest.meaning is meaning else (received,)
    changes = tuple(at for at in (*memory.changes, *new) if received - at <= policy.flicker_seconds * SECOND_US)[-CHANGES_KEPT:]
    memory = memory._replace(changes=changes, newest=Change(meaning, occurred))
    if case.device.device_id in rules.planned and is_out:
        return _logged(case, memory, f"planned outage: {rules.planned[case.device.device_id]}")
    if memory.held is not None:
        if memory.held.meaning is meaning:
            return _logged(case, memory, f"repeats {memory.held.number}")
        return _cancelled(case, meaning, memory, memory.held, rules)
    if _is_known(memory, meaning, occurred, policy):
        return _logged(case, memory, f"repeats: the {meaning.value} was told")
    return _held_or_told(case, meaning, memory, policy)


def _cancelled(case: EventCase, meaning: OutageMeaning, memory: Memory, held: Held, rules: Rules) -> Judgement:
    """The supply is as it was before anybody was told."""
    received, policy = to_us(case.received), rules.policy
    seconds = max(0, received - held.received_us) / SECOND_US
    memory = memory._replace(held=None)
    if held.meaning is OutageMeaning.RESTORATION:
        # The outage before it was told and lasts; only the flicker is new.
        decisions = {
            held.number: Decision(CaseState.LOGGED, f"flicker: off again after {seconds:g} s ({case.number})"),
            case.number: Decision(CaseState.LOGGED, f"flicker: on for {seconds:g} s ({held.number})"),
        }
        return Judgement(memory, decisions)
    momentaries = tuple(at for at in (*memory.momentaries, received) if received - at <= DAY_US)[-CHANGES_KEPT:]
    decisions = {
        held.number: Decision(CaseState.LOGGED, f"{MOMENTARY} after {seconds:g} s ({case.number})"),
        case.number: Decision(CaseState.LOGGED, f"momentary: ends an outage of {seconds:g} s that nobody was told of ({held.number})"),
    }
    count = len(momentaries) if policy.momentaries_a_day and len(momentaries) >= policy.momentaries_a_day else 0
    return Judgement(memory._replace(momentaries=() if count else momentaries), decisions, count)


def _held_or_told(case: EventCase, meaning: OutageMeaning, memory: Memory, policy: HygienePolicy) -> Judgement:
    flickers = 0 < policy.flicker_changes <= len(memory.changes)
    seconds = policy.quiet_seconds if flickers else policy.hold_off_seconds if meaning is OutageMeaning.OUTAGE else 0.0
    if seconds <= 0:
        told = memory._replace(told=Change(meaning, to_us(case.occurred)))
        return Judgement(told, {case.number: Decision(CaseState.TOLD)})
    words = f"flicker: {len(memory.changes)} changes within {policy.flicker_seconds:g} s" if flickers else "hold-off"
    due = case.received + timedelta(seconds=seconds)
    held = memory._replace(held=Held(case.number, meaning, to_us(case.received)))
    return Judgement(held, {case.number: Decision(CaseState.HELD, f"{words}: waits {seconds:g} s", due)})


def _judge_held(case: EventCase, memory: Memory, rules: Rules, now: datetime) -> Judgement:
    kind = rules.catalogue.kinds.get(case.code)
    meaning = OutageMeaning.OUTAGE if kind is None or kind.outage is None else kind.outage
    memory = memory._replace(held=None) if memory.held is not None and memory.held.number == case.number else memory
    silenced = next((one.words for one in rules.silencings if one.covers(case, now)), "")
    if silenced:
        return Judgement(memory, {case.number: Decision(CaseState.WITHHELD, silenced)})
    occurred = to_us(case.occurred)
    if _is_known(memory, meaning, occurred, rules.policy):
        return _logged(case, memory, f"repeats: the {meaning.value} was told")
    return Judgement(memory._replace(told=Change(meaning, occurred)), {case.number: Decision(CaseState.TOLD, "lasted beyond the hold-off")})


def _is_known(memory: Memory, meaning: OutageMeaning, occurred_us: int, policy: HygienePolicy) -> bool:
    """Whether what was told last says the same; an outage long after the one told is another one, whose restoration was never heard."""
    told = memory.told
    if told is None or told.meaning is not meaning:
        return False
    return meaning is OutageMeaning.RESTORATION or occurred_us - told.occurred_us <= policy.repeat_seconds * SECOND_US


def _is_awaited(memory: Memory) -> bool:
    """Whether a restoration ends an outage that was told, or is about to be."""
    is_told = memory.told is not None and memory.told.meaning is OutageMeaning.OUTAGE
    return is_told or (memory.held is not None and memory.held.meaning is OutageMeaning.OUTAGE)


def _logged(case: EventCase, memory: Memory, reason: str) -> Judgement:
    return Judgement(memory, {case.number: Decision(CaseState.LOGGED, reason)})
