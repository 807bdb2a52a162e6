"""Identifiers that others give to meters, service locations, accounts, groups: what one may look like. Pure.

Notifications, groups, schedules and provisioning files keep to the same rules.
"""

from headend.errors import RequestError, shown
from headend.limits import TEXT_CHARACTERS_MAX


def identifier(text: str | None, what: str) -> str:
    """`text` without the space around it; `what` names it in errors, e.g. "meter number".

    Raises  RequestError where it is missing, too long or holds what cannot be printed
    """
    plain = (text or "").strip()
    if not plain:
        raise RequestError(f"{what} is missing")
    check_text(plain, what)
    return plain


def check_text(text: str, what: str) -> None:
    """Accept text that fits into a field of the store.

    Raises  RequestError
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RequestError(f"{what} {shown(text)} has {len(text)} characters, {TEXT_CHARACTERS_MAX} are the most")
    if not text.isprintable():
        raise RequestError(f"{what} {shown(text)} has control characters")
