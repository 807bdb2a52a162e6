"""Files of batches and of the protected list: good lines taken, bad ones named."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from headend.command_settings import CommandSettings
from headend.commands.batch_file import read_batch, read_protected
from headend.commands.batching import BatchWish, batch_requests
from headend.model.command import OVERRIDE
from headend.model.deferred import DeferredKind, KnownMeter, Priority, SwitchAction, TargetKey
from headend.model.endpoint import EndpointId
from headend.model.protection import Protection, ProtectionKind, protected_because
from headend.provisioning_rows import FileFormat
from headend.settings import SettingsError, settings_from
from tests.store.world import NOW, UTILITY

BATCH = b"""Meter No,Command,Override
M1,disconnect,
M2,,
M1,connect,
,read,
M3,explode,
M4,connect,by order of the court
"""


def test_a_batch_names_what_is_wrong_with_its_lines_and_keeps_the_others() -> None:
    found = read_batch(BATCH, FileFormat.CSV, "read")
    assert [(item.meter_no, item.kind, item.action, item.override) for item in found.items] == [
        ("M1", DeferredKind.SWITCH, SwitchAction.DISCONNECT, ""),
        ("M2", DeferredKind.READ, None, ""),
        ("M4", DeferredKind.SWITCH, SwitchAction.CONNECT, "by order of the court"),
    ]
    assert [str(problem) for problem in found.problems] == [
        "line 4: meter_no 'M1' is on line 2 already",
        "line 5: meter_no is missing",
        f"line 6: command 'explode' is none of {', '.join(['read', 'ping', 'voltage', 'switch', 'connect', 'arm', 'disconnect'])},"
        " reset-demand, set-clock",
    ]
    assert str(read_batch(b"meter_no\nM1\n", FileFormat.CSV, None).problems[0]) == "line 2: command is missing, and none was given for all"


def test_a_file_becomes_requests_that_are_the_same_again() -> None:
    items = read_batch(BATCH, FileFormat.CSV, "read").items
    known = {
        (TargetKey.METER_NO, f"M{n}"): [KnownMeter(EndpointId(n), f"M{n}", "residential" if n < 4 else "gas", True)] for n in (1, 2, 4)
    }
    wish = BatchWish("ann", "cut.csv", NOW, None, timedelta(hours=24))
    requests, refusals = batch_requests(items, known, UTILITY, wish)
    assert [(r.kind, len(r.targets), r.priority, r.parameters.get(OVERRIDE), r.title) for r in requests] == [
        (DeferredKind.SWITCH, 1, Priority.BATCH, None, "cut.csv"),
        (DeferredKind.READ, 1, Priority.BATCH, None, "cut.csv"),
        (DeferredKind.SWITCH, 0, Priority.BATCH, "by order of the court", "cut.csv"),
    ]
    assert [refusal.reason for refusal in refusals] == ["meter 'M4' has no switch"]
    again, _ = batch_requests(items, known, UTILITY, wish)
    other, _ = batch_requests(items, known, UTILITY, BatchWish("ann", "cut.csv", NOW, None, timedelta(hours=24), "salt"))
    assert [r.transaction_id for r in again] == [r.transaction_id for r in requests]
    assert not {r.transaction_id for r in other} & {r.transaction_id for r in requests}
    assert len({r.transaction_id for r in requests}) == 3


def test_the_protected_list_names_whom_it_protects_why_and_how_long() -> None:
    octets = b"""meter_no,account_no,kind,from,until,note
M1,,medical,2026-07-01,2026-12-31,oxygen
,A-7,Weather,2026-07-01,,
M1,A-7,medical,2026-07-01,,
M2,,moody,2026-07-01,,
M2,,medical,2026-07-01,2026-06-30,
M2,,medical,yesterday,,
M1,,medical,2026-07-01,,
"""
    found = read_protected(octets, FileFormat.CSV)
    medical = Protection("M1", "", ProtectionKind.MEDICAL, date(2026, 7, 1), date(2026, 12, 31), "oxygen")
    weather = Protection("", "A-7", ProtectionKind.WEATHER, date(2026, 7, 1), None)
    assert found.items == (medical, weather)
    assert [str(problem) for problem in found.problems] == [
        "line 4: meter_no or account_no is to be given, and not both",
        "line 5: kind 'moody' is none of medical, weather, other",
        "line 6: until is before from",
        "line 7: from 'yesterday' is not a date like 2026-12-25",
        "line 8: meter M1 is on line 2 already, of the same kind and from the same day",
    ]
    assert protected_because([medical, weather], date(2026, 7, 1)) == "protected as account A-7 is (weather)"
    assert protected_because([medical], date(2026, 12, 31)) == "protected (medical) until 2026-12-31"
    assert protected_because([medical, weather], date(2026, 6, 30)) == ""


def test_rules_for_commands_are_settings() -> None:
    rules = CommandSettings(quiet_hours=("21:00-08:00",), quiet_days=("Friday", "2026-12-25"), per_minute=60).rules(ZoneInfo("UTC"))
    assert rules.quiet is not None
    assert (rules.per_minute, rules.quiet.hours) == (60, ((1_260, 480),))
    assert (rules.quiet.weekdays, rules.quiet.days) == (frozenset({4}), frozenset({date(2026, 12, 25)}))
    assert CommandSettings().rules(ZoneInfo("UTC")).quiet is None


@pytest.mark.parametrize(
    ("commands", "problem"),
    [
        ({"quiet_hours": ["9 to 5"]}, "'9 to 5' is not like 21:00-08:00"),
        ({"quiet_hours": ["08:00-08:00"]}, "'08:00-08:00' is no span of a day"),
        ({"quiet_hours": ["00:00-12:00", "12:00-24:00"]}, "leave no minute of a day in which anybody could be disconnected"),
        ({"quiet_days": ["someday"]}, "'someday' is neither a day of the week nor a date like 2026-12-25"),
        ({"quiet_days": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}, "leave no day of a week"),
        ({"per_minute": 0}, "greater than or equal to 1"),
    ],
)
def test_rules_that_cannot_be_are_named(tmp_path: object, commands: dict[str, object], problem: str) -> None:
    utility = {"id": "demo", "time_zone": "UTC", "database": "sqlite:///x.db", "key_file": "x.key", "commands": commands}
    with pytest.raises(SettingsError, match=problem):
        settings_from({"utilities": [utility]}, tmp_path, "settings")  # type: ignore[arg-type]
