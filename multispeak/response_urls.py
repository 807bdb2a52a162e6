"""Where a partner wants to be told things: whether an address is one, may be used, and leads to a server that can take what is told. Pure.

Source  reference/multispeak.md 4, 6; reference/peers-and-practice.md, responseURL of the wrong version or server
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from headend.model.partner import NotificationProfile, PeerServer
from headend.named_addresses import host_problem
from multispeak.limits import URL_CHARACTERS_MAX

_VERSION = re.compile(
    r"(?:(?:multispeak|msp|version|v)[-_]?([345])[._]?[01](?:[._]?6)?|([345])[._][01](?:[._]6)?)(?:ac)?(?:[-_]?release)?", re.IGNORECASE
)
"""A step of a path that says a version: `3.0`, `v4.1.6`, `MultiSpeak_30`. A bare `30` may be anything."""

_SERVER = re.compile(r"([A-Z]{2,3})_Server(?:\.asmx)?", re.IGNORECASE)


def url_problem(url: str) -> str:
    """Why this is no address that can be called, in words after its name; empty where it can be."""
    if len(url) > URL_CHARACTERS_MAX:
        return f"has more than {URL_CHARACTERS_MAX} characters"
    if not url.isprintable() or " " in url:
        return "holds characters that no address has"
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "is no address"
    if parts.scheme.lower() not in {"http", "https"} or not named:
        return "is no http or https address"
    if parts.username is not None or parts.password is not None:
        return "has credentials in it; register them as responseUserID and responsePwd"
    return ""


def naming_problem(url: str, profile: NotificationProfile) -> str:
    """Why a partner may not name this address; empty where it may."""
    if not url:
        return "is missing"
    problem = url_problem(url)
    if problem or profile.is_configured(url):
        return problem
    if not profile.may_name(url):
        return "is not among those that this partner may name"
    host = urlsplit(url).hostname or ""
    problem = host_problem(host, profile.networks)
    return f"leads to {host[:80]}, which {problem}" if problem else ""


def mismatch(url: str, version: str, notifications: Iterable[str], takers: Mapping[str, tuple[PeerServer, ...]]) -> str:
    """Why the server behind an address cannot take these notifications, as far as its path tells; empty where nothing speaks against it."""
    steps = unquote(urlsplit(url).path).split("/")
    said = [(step, found[1] or found[2]) for step in steps for found in [_VERSION.fullmatch(step)] if found]
    if said and version[0] not in {major for _, major in said}:
        return f"leads to {said[0][0]}, and this is MultiSpeak {version}"
    server = _SERVER.fullmatch(steps[-1] or steps[-2] if len(steps) > 1 else "")
    if server is None:
        return ""
    name = server[1].upper()
    lost = [n for n in notifications if name not in {str(peer) for peer in takers.get(n, ())}]
    return f"leads to a {name}_Server, which takes no {' and no '.join(lost)} in MultiSpeak {version}" if lost else ""


def usable_url(
    asked: str, version: str, notifications: tuple[str, ...], takers: Mapping[str, tuple[PeerServer, ...]], profile: NotificationProfile
) -> tuple[str, str]:
    """(the address to tell these notifications at, why not the one that was asked for).

    The first is empty where there is none: neither the one asked for nor one in the partner's profile will do. One server may take any of
    the notifications for an answer to be possible.
    """
    problem = naming_problem(asked, profile)
    if not problem:
        reasons = [mismatch(asked, version, (name,), takers) for name in notifications]
        if not all(reasons):
            return asked, ""
        problem = reasons[0]
    configured = (profile.url_for(name, takers.get(name, ())) for name in notifications)
    return next((url for url in configured if url), ""), problem
