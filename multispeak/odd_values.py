"""Values as some stacks write them → as the schema wants them, where the meaning is plain; else as they came. Pure.

Source  reference/multispeak.md 14
"""

import re
from collections.abc import Sequence

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ]"
    r"(\d{2}):?(\d{2})(?::?(\d{2})(\.\d{1,9})?)?"
    r"\s*([AaPp][Mm])?\s*"
    r"(Z|z|[+-]\d{1,2}(?::?\d{2})?)?"
)


def plain_timestamp(text: str) -> str:
    """`2017-10-09T053947PM-5` → `2017-10-09T17:39:47-05:00`: time with or without colons, in twelve hours, with a short offset."""
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        return text
    day, hour, minute, second, fraction, half, offset = found.groups(default="")
    if half:
        if not 1 <= int(hour) <= 12:
            return text
        hour = f"{int(hour) % 12 + 12 * (half.lower() == 'pm'):02}"
    return f"{day}T{hour}:{minute}:{second or '00'}{fraction}{_plain_offset(offset)}"


def _plain_offset(offset: str) -> str:
    if not offset or offset in "Zz":
        return offset.upper()
    digits = offset[1:].replace(":", "")
    hours, minutes = (digits, "00") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    return f"{offset[0]}{hours:0>2}:{minutes}"


def same_value(text: str, values: Sequence[str]) -> str:
    """The value that `text` is but for letters' case and space around it."""
    plain = text.strip().casefold()
    return next((value for value in values if value.casefold() == plain), text)


def nearest_value(text: str, values: Sequence[str]) -> str:
    """The only value that is one letter away: a letter left out, put in, or another one."""
    plain = text.strip().casefold()
    near = [value for value in values if len(plain) > 2 and _one_letter_apart(plain, value.casefold())]
    return near[0] if len(near) == 1 else text


def _one_letter_apart(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) > 1 or a == b:
        return False
    same = next((i for i, letter in enumerate(short) if letter != long[i]), len(short))
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]
