"""Batches for people and programs: a table of all, the story of one, a line a meter as CSV."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from headend.cli.command_report import view_json
from headend.commands.arranging import Arrangement, local_text
from headend.model.batch import BatchReport, BatchSummary
from headend.model.command import CommandView
from headend.model.deferred import DeferredRequest
from headend.model.refusal import Refusal

COLUMNS = ("meter_no", "command", "state", "due", "at", "code", "reason", "attempts", "switch", "load_side_volts", "registers")
REASONS_SHOWN = 20
NAMES_SHOWN = 3
_NAMES = re.compile(r"'[^']*'")

Line = dict[str, str]


def batches_table(batches: Sequence[BatchSummary], zone: ZoneInfo) -> Table:
    """One row a batch."""
    table = Table(box=None, pad_edge=False)
    for heading in ("batch", "state", "what", "title", "by", "accepted", "commands", "ended", "refused", "until"):
        right = heading in {"batch", "commands", "ended", "refused"}
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    for one in batches:
        table.add_row(
            str(one.batch_id),
            one.state,
            ", ".join(one.what),
            one.title,
            one.requester,
            local_text(one.accepted, zone),
            f"{one.total:,}",
            f"{one.total - one.open:,}",
            f"{one.refused:,}",
            "" if one.last_due is None else local_text(one.last_due, zone),
        )
    return table


def summary_json(one: BatchSummary) -> dict[str, Any]:
    """All that is known of a batch but its lines."""
    return {
        "batch": one.batch_id,
        "state": one.state,
        "what": list(one.what),
        "title": one.title,
        "by": one.requester,
        "accepted": one.accepted.isoformat(),
        "expires": one.expires.isoformat(),
        "commands": one.total,
        "open": one.open,
        "states": {state.value: count for state, count in sorted(one.counts.items())},
        "refused": one.refused,
        "next_due": None if one.next_due is None else one.next_due.isoformat(),
        "last_due": None if one.last_due is None else one.last_due.isoformat(),
        "cancelled": one.cancelled or None,
    }


def report_json(report: BatchReport) -> dict[str, Any]:
    """A batch with its lines."""
    lines = [
        view_json(line.view) | {"due": None if line.due is None else line.due.isoformat(), "attempts": line.attempts}
        for line in report.lines
    ]
    return summary_json(report.summary) | {"lines": lines, "refusals": refusals_json(report.refusals)}


def report_text(report: BatchReport, zone: ZoneInfo) -> str:
    """A batch in some lines: how far it is, and why what did not succeed did not."""
    one = report.summary
    said = [
        f"batch {one.batch_id}: {', '.join(one.what)} of {one.total:,} meters, {one.state}",
        f"{one.title}, by {one.requester}, accepted {local_text(one.accepted, zone)}, expires {local_text(one.expires, zone)}",
    ]
    said += [f"  {state.value:<10}{count:>9,}" for state, count in sorted(one.counts.items())]
    if one.next_due is not None and one.last_due is not None:
        said.append(f"next turn {local_text(one.next_due, zone)}, last {local_text(one.last_due, zone)}")
    if one.cancelled:
        said.append(one.cancelled)
    reasons = Counter(line.view.code.value for line in report.lines if line.view.code is not None)
    said += [f"  {count:,} × {reason}" for reason, count in reasons.most_common(REASONS_SHOWN)]
    return "\n".join([*said, *refusal_lines(report.refusals)])


def preview_text(
    requests: Sequence[DeferredRequest], arrangements: Sequence[Arrangement], refusals: Sequence[Refusal], zone: ZoneInfo
) -> str:
    """What would be done when, and what is refused."""
    dues = sorted(one.due for arrangement in arrangements for one in arrangement.targets)
    wanted = Counter(_word(request, n) for request, arrangement in zip(requests, arrangements, strict=True) for n in arrangement.targets)
    said = [f"would be done: {', '.join(f'{count:,} × {word}' for word, count in wanted.most_common()) or 'nothing'}"]
    if dues:
        minutes = Counter(due.replace(second=0, microsecond=0) for due in dues)
        said.append(f"from {local_text(dues[0], zone)} to {local_text(dues[-1], zone)}, at most {max(minutes.values()):,} a minute")
        days: dict[str, list[str]] = {}
        for due in dues:
            day, time = local_text(due, zone).split()
            days.setdefault(day, []).append(time)
        said += [f"  {day}  {len(times):>7,}  {times[0]} to {times[-1]}" for day, times in days.items()]
    return "\n".join([*said, *refusal_lines(refusals)])


def refusal_lines(refusals: Sequence[Refusal]) -> list[str]:
    """What was refused, by reason, each with some of the meters that it is about."""
    groups: dict[str, list[str]] = {}
    for one in refusals:
        groups.setdefault(_NAMES.sub("…", one.reason), []).append(one.object_id)
    said = [f"refused: {len(refusals):,}"] if refusals else []
    for reason, names in sorted(groups.items(), key=lambda group: -len(group[1]))[:REASONS_SHOWN]:
        more = ", …" if len(names) > NAMES_SHOWN else ""
        said.append(f"  {len(names):,} × {reason} ({', '.join(names[:NAMES_SHOWN])}{more})")
    return said


def preview_json(requests: Sequence[DeferredRequest], arrangements: Sequence[Arrangement], refusals: Sequence[Refusal]) -> dict[str, Any]:
    """What would be done when, and what is refused, a line a meter."""
    planned = [
        {"meter": one.target.meter_no, "command": _word(request, one), "due": one.due.isoformat()}
        for request, arrangement in zip(requests, arrangements, strict=True)
        for one in arrangement.targets
    ]
    return {"planned": planned, "refusals": refusals_json(refusals)}


def preview_lines(requests: Sequence[DeferredRequest], arrangements: Sequence[Arrangement], refusals: Sequence[Refusal]) -> Iterable[Line]:
    """The same as lines of CSV."""
    for request, arrangement in zip(requests, arrangements, strict=True):
        for one in arrangement.targets:
            planned = {"meter_no": one.target.meter_no, "command": _word(request, one), "state": "planned", "due": one.due.isoformat()}
            yield dict.fromkeys(COLUMNS, "") | planned
    yield from map(_refused_line, refusals)


def report_lines(report: BatchReport) -> Iterable[Line]:
    """A batch as lines of CSV."""
    for line in report.lines:
        view = line.view
        found = view.found
        yield {
            "meter_no": view.meter_no,
            "command": _view_word(view),
            "state": view.state.value,
            "due": "" if line.due is None else line.due.isoformat(),
            "at": view.changed.isoformat(),
            "code": "" if view.code is None else view.code.value,
            "reason": view.reason,
            "attempts": str(line.attempts),
            "switch": "" if found.switch is None else found.switch.value,
            "load_side_volts": "" if found.load_side_volts is None else str(found.load_side_volts),
            "registers": "; ".join(f"{each['channel']} {each['quantity']} {each['unit']}" for each in view_json(view)["registers"]),
        }
    yield from map(_refused_line, report.refusals)


def csv_text(lines: Iterable[Line]) -> str:
    """Lines under their heading."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    return written.getvalue()


def _refused_line(refusal: Refusal) -> Line:
    return dict.fromkeys(COLUMNS, "") | {"meter_no": refusal.object_id, "state": "refused", "reason": refusal.reason}


def refusals_json(refusals: Sequence[Refusal]) -> list[dict[str, str]]:
    """What was refused, by meter."""
    return [{"meter": one.object_id, "reason": one.reason} for one in refusals]


def _word(request: DeferredRequest, one: Any) -> str:
    return request.kind.value if one.target.action is None else str(one.target.action.value)


def _view_word(view: CommandView) -> str:
    return view.kind.value if view.action is None else view.action.value
