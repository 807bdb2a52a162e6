"""Schedules and reading schedules: established, enabled, disabled, deleted, shown."""

from collections.abc import Sequence

from headend.errors import RequestError
from headend.model.refusal import Refusal
from headend.schedules import ScheduleKind, UnknownScheduleError
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.message_header import Paging
from multispeak.notifications import object_name, refused, require_objects
from multispeak.paging import no_place, page_size
from multispeak.said_values import items
from multispeak.schedule_shapes import schedule_of, schedule_told
from multispeak.streaming import one_batch
from multispeak.unheld_values import require_held

_NOUNS = {ScheduleKind.PLAIN: "schedule", ScheduleKind.READING: "readingSchedule"}


def schedule_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    plain, reading = ScheduleKind.PLAIN, ScheduleKind.READING
    enabling = "EnableReadingSchedule" if version == "3.0" else "EnableReadingSchedules"
    return {
        "EstablishSchedules": _establishing(plain, "schedules", "Keeps schedules, for reading schedules and requests that name them."),
        "EstablishReadingSchedules": _establishing(
            reading, "readingSchedules", "Reads the meters and groups named at the times named, from now on, while the schedule is enabled."
        ),
        "DeleteSchedule": _deleting(plain, "scheduleID", "Forgets a schedule."),
        "DeleteReadingSchedule": _deleting(reading, "readingScheduleID", "Forgets a reading schedule; nothing is read by it any more."),
        enabling: _enabling(enabled=True, effect="Reads by these reading schedules from now on."),
        "DisableReadingSchedule": _enabling(enabled=False, effect="Reads by this reading schedule no more until it is enabled again."),
        "GetSchedules": _listing(plain, "The schedules that have been established, by id."),
        "GetReadingSchedules": _listing(reading, "The reading schedules that have been established, by id, enabled or not."),
        "GetScheduleByID": _showing(plain, "scheduleID", "One schedule as it was established."),
        "GetReadingScheduleByID": _showing(reading, "readingScheduleID", "One reading schedule as it was established, enabled or not."),
    }


def _establishing(kind: ScheduleKind, parameter: str, effect: str) -> Handler:
    async def establish(call: Call) -> Answer:
        found = items(getattr(call.request, parameter))
        require_objects(call, len(found))
        refusals: list[Refusal] = []
        seen: set[str] = set()
        for said in found:
            name = object_name(said)
            try:
                if name in seen:
                    raise RequestError(f"{name[:80]!r} stands in the list twice")
                seen.add(name)
                require_held(said)
                await call.store.establish_schedule(schedule_of(call, kind, said), call.partner.user_id, call.now)
            except RequestError as error:
                refusals.append(Refusal(name, str(error)))
        return refused(call, refusals, _NOUNS[kind])

    establish.__doc__ = effect
    return establish


def _deleting(kind: ScheduleKind, parameter: str, effect: str) -> Handler:
    async def delete(call: Call) -> Answer:
        name = (getattr(call.request, parameter) or "").strip()
        try:
            await call.store.delete_schedule(kind, name)
        except RequestError as error:
            return refused(call, [Refusal(name, str(error))], _NOUNS[kind])
        return refused(call, (), _NOUNS[kind])

    delete.__doc__ = effect
    return delete


def _enabling(*, enabled: bool, effect: str) -> Handler:
    async def enable(call: Call) -> Answer:
        refusals = []
        for name in _named(call):
            try:
                await call.store.enable_schedule(ScheduleKind.READING, name, call.now, enabled=enabled)
            except RequestError as error:
                refusals.append(Refusal(name, str(error)))
        return refused(call, refusals, _NOUNS[ScheduleKind.READING])

    enable.__doc__ = effect
    return enable


def _listing(kind: ScheduleKind, effect: str) -> Handler:
    async def schedules(call: Call) -> ListAnswer:
        after = (call.request.lastReceived or "").strip()
        if after and await call.store.schedule_named(kind, after) is None:
            raise no_place(after)
        page = await call.store.schedules(kind, after, page_size(call))
        last = page.items[-1].schedule_id if page.items else ""
        return ListAnswer(one_batch([schedule_told(call, one) for one in page.items]), Paging(page.remaining, last))

    schedules.__doc__ = effect
    return schedules


def _showing(kind: ScheduleKind, parameter: str, effect: str) -> Handler:
    async def schedule(call: Call) -> Answer:
        name = (getattr(call.request, parameter) or "").strip()
        if not name:
            raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no {kind.value}")
        found = await call.store.schedule_named(kind, name)
        if found is None:
            raise UnknownScheduleError(kind, name)
        return Answer(schedule_told(call, found))

    schedule.__doc__ = effect
    return schedule


def _named(call: Call) -> Sequence[str]:
    """The reading schedules that a request names: one, or a list of them."""
    said = call.request.readingScheduleID
    names = [said] if said is None or isinstance(said, str) else list(items(said))
    require_objects(call, len(names))
    return [(name or "").strip() for name in names]
