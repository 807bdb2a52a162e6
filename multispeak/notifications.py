"""Notifications that a head-end takes: each object takes effect or gets its errorObject; whatever the object, in the same way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from headend.errors import RequestError
from headend.master_data.port import Author
from headend.master_data.statements import Said, Statement
from headend.model.refusal import Refusal
from multispeak.calls import Answer, Call, Handler
from multispeak.error_objects import ObjectError, error_objects
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import NOTIFIED_OBJECTS_MAX
from multispeak.unheld_values import require_held

Statements = Callable[[], Iterable[Statement]]


@dataclass(frozen=True, slots=True)
class Told:
    """One object of a notification: its name for people, its noun in the standard, itself, and what it says once it is read.

    `statements` raises RequestError where the object cannot be understood.
    """

    object_id: str
    noun: str
    value: Any
    statements: Statements


Reading = Callable[[Call], Iterable[Told]]
"""The objects of a request, in order."""


def notification(reading: Reading, effect: str) -> Handler:
    """The handler of a notification; `effect` says to people what becomes of it."""

    async def take(call: Call) -> Answer:
        told = list(reading(call))
        require_objects(call, len(told))
        said = [_said(one) for one in told]
        refusals = await call.store.take(said, Author(call.partner.user_id, call.operation), call.now)
        return refused(call, refusals, {one.object_id: one.noun for one in told})

    take.__doc__ = effect
    return take


def require_objects(call: Call, count: int) -> None:
    """Accept a request with objects in it.

    Raises  RefusedCallError for none, or too many
    """
    if not count:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} holds no object")
    if count > NOTIFIED_OBJECTS_MAX:
        sentence = f"{call.operation} holds {count} objects; {NOTIFIED_OBJECTS_MAX} are taken at once"
        raise RefusedCallError(FaultCode.TOO_MANY_OBJECTS, sentence)


def refused(call: Call, refusals: Iterable[Refusal], nouns: dict[str, str] | str) -> Answer:
    """The answer that names refused objects; `nouns` by object, or one for all."""
    told = (ObjectError(r.object_id, r.reason, nouns if isinstance(nouns, str) else nouns.get(r.object_id, "")) for r in refusals)
    return error_objects(call, told)


def object_name(value: Any, *others: str | None) -> str:
    """What to call an object: the first of `others` that says something, else its objectID; empty where none does."""
    return next((name for name in ((other or "").strip() for other in (*others, value.objectID)) if name), "")


def _said(told: Told) -> Said:
    try:
        require_held(told.value)
        return Said(told.object_id, tuple(told.statements()))
    except RequestError as error:
        return Said(told.object_id, (), str(error))
