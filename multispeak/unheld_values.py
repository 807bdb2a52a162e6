"""Values in an object that the schema allows and that cannot be held, such as the year 12026: the matter of that object alone.

The object is read with what stands here in their places, and refused where it is looked at (`require_held`); its neighbours are not
concerned. Whoever uses such a value nevertheless is told what it is.
"""

from collections.abc import Callable
from typing import Any

from multispeak.records import Record
from multispeak.xml_values import UnreadableValueError


class Unheld:
    """A value that cannot be held: every use of it raises UnreadableValueError."""

    __slots__ = ("_error",)

    def __init__(self, error: UnreadableValueError) -> None:
        self._error = error

    def __repr__(self) -> str:
        return f"Unheld({self._error.text[:80]!r})"

    def __getattr__(self, name: str) -> Any:
        raise self._error

    def _raise(self, *_: object) -> Any:
        raise self._error

    __bool__ = __str__ = __int__ = __float__ = __hash__ = __iter__ = __len__ = _raise
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _raise


def or_unheld(convert: Callable[[str], Any], type_name: str) -> Callable[[str], Any]:
    """A conversion that gives an Unheld instead of failing."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except UnreadableValueError as error:
            return Unheld(error)
        except (ValueError, ArithmeticError):
            return Unheld(UnreadableValueError(text, f"xs:{type_name}"))

    return converted


def require_held(value: Any) -> None:
    """Accept an object all of whose values can be held.

    Raises  UnreadableValueError for the first that cannot
    """
    if isinstance(value, Unheld):
        value._raise()
    elif isinstance(value, Record):
        for slot in type(value).__slots__:
            inside = getattr(value, slot)
            # Nearly all are absent, or text.
            if inside is not None and type(inside) is not str:
                require_held(inside)
    elif isinstance(value, list):
        for one in value:
            require_held(one)
