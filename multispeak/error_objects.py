"""errorObjects: what is told of the objects of a call that were not taken, while the others of the same call took effect.

Source  reference/multispeak.md 5
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headend.errors import HeadEndError
from multispeak.calls import Answer, Call
from multispeak.mapping import local_time


@dataclass(frozen=True, slots=True)
class ObjectError:
    """One object that was not taken: which, why in one sentence, and what kind of object it is in the standard's words."""

    object_id: str
    sentence: str
    noun_type: str

    @classmethod
    def of(cls, object_id: str, error: HeadEndError, noun_type: str) -> "ObjectError":
        """What one of our errors says of an object."""
        return cls(object_id, str(error), noun_type)


def error_object(call: Call, error: ObjectError) -> Any:
    """One errorObject."""
    return call.records["errorObject"](
        objectID=error.object_id,
        errorString=error.sentence,
        nounType=error.noun_type,
        eventTime=local_time(call.now.replace(microsecond=0), call.utility.time_zone),
    )


def error_objects(call: Call, errors: Iterable[ObjectError]) -> Answer:
    """The answer of an operation that takes objects: an errorObject for each that was refused, an empty list where none was."""
    return Answer(call.records["ArrayOfErrorObject"](errorObject=[error_object(call, error) for error in errors] or None))
