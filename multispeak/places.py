"""Service locations, customers and accounts → statements, as far as both versions agree."""

from collections.abc import Iterable, Sequence
from typing import Any

from headend.errors import RequestError
from multispeak.said_values import items, text


def coordinates(latitude: float | None, longitude: float | None) -> tuple[float | None, float | None]:
    """Degrees of a place on the earth; nothing is said where one is absent, or both are zero.

    Raises  RequestError for others
    """
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None, None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise RequestError(f"latitude {latitude} and longitude {longitude} are no place on the earth")
    return latitude, longitude


def joined(parts: Sequence[str | None], what: str) -> str | None:
    """Parts of a text behind one another, those that say something."""
    return text(" ".join(part.strip() for part in parts if part and part.strip()), what)


def first_text(values: Iterable[str | None], what: str) -> str | None:
    """The first of several texts that says something."""
    return next((found for value in values if (found := text(value, what)) is not None), None)


def electronic_mail(contact: Any) -> str | None:
    """The first address of a contactInfo."""
    addresses = items(contact.eMailList) if contact else ()
    return first_text((address.eMail for address in addresses), "eMail")


def not_kept(verb: str | None) -> RequestError:
    """What is told of a verb that nothing follows from."""
    return RequestError(f"verb {verb} is not taken here; New, Change and Delete are")
