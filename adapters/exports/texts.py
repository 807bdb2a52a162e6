"""Values as texts: decimals exactly as wide as their exponent says, instants, statuses, attributes. What is remembered is bounded."""

from datetime import UTC, datetime
from functools import lru_cache

from headend.model.quality import NOT_COLLECTED, status_names

TEXTS_MAX = 50_000
"""Decimals remembered for one exponent: voltages and hourly loads of homes are some thousand different ones."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


def escape(text: str) -> str:
    """Text as it stands in an attribute or an element. What XML cannot hold at all becomes a question mark."""
    return text if text.isalnum() else "".join([c if c >= " " or c in "\t\n\r" else "?" for c in text]).translate(_ESCAPES)


def decimal_text(value: int, exponent: int) -> str:
    """value × 10^exponent, with as many decimals as the exponent says."""
    if exponent >= 0:
        return str(value * 10**exponent)
    digits = str(abs(value)).rjust(1 - exponent, "0")
    return f"{'-' if value < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


class Decimals(dict[int, str]):
    """Texts of integers × 10^exponent, made when they are first asked for."""

    def __init__(self, exponent: int) -> None:
        super().__init__()
        self._exponent = exponent

    def __missing__(self, value: int) -> str:
        if len(self) >= TEXTS_MAX:
            self.clear()
        text = self[value] = decimal_text(value, self._exponent)
        return text


@lru_cache(maxsize=64)
def decimals(exponent: int) -> Decimals:
    """Those of an exponent."""
    return Decimals(exponent)


@lru_cache(maxsize=8_192)
def utc_text(second: int) -> str:
    """A UNIX second as `2026-07-01T05:00:00Z`."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=8_192)
def utc_text_us(us: int) -> str:
    """Microseconds since 1970 as the same, with the fraction where there is one."""
    whole, rest = divmod(us, 1_000_000)
    return utc_text(whole) if not rest else f"{utc_text(whole)[:-1]}.{rest:06}".rstrip("0") + "Z"


@lru_cache(maxsize=4_096)
def status_text(flags: int) -> str:
    """Names of flags, in their order."""
    return " ".join(status_names(flags))


NOT_COLLECTED_TEXT = status_text(NOT_COLLECTED)
