"""Addresses that partners name: which of them a pattern allows, and to which places in the network they may lead. Pure.

Whoever may have us send something to an address of its choice reaches what we reach. So private, loopback and other special addresses are
none that a partner may name, unless the utility says which networks it may.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that stand for the IPv4 address in their last four octets. Source  RFC 6052 2.1"""


def is_named_by(pattern: str, url: str) -> bool:
    """Whether an address is of a pattern; `*` stands for any characters and `?` for one, before the path for none that ends a host.

    So `https://*.oms.example/*` allows no other host that has `.oms.example/` somewhere in its path. Without a path it is all of a host.
    """
    return _expression(pattern).fullmatch(url if "://" not in pattern else "".join(_parted(url))) is not None


@lru_cache(maxsize=4_096)
def _expression(pattern: str) -> re.Pattern[str]:
    if "://" not in pattern:
        return _with_wildcards(pattern, ".")
    head, path = _parted(pattern)
    behind = _with_wildcards(path, ".").pattern or r"(?:[/?#].*)?"
    return re.compile(_with_wildcards(head, r"[^/?#@\\]").pattern + behind, re.DOTALL)


def _with_wildcards(text: str, one: str) -> re.Pattern[str]:
    return re.compile("".join({"*": f"{one}*", "?": one}.get(each, re.escape(each)) for each in text), re.DOTALL)


def _parted(url: str) -> tuple[str, str]:
    """(scheme, host and port, in small letters; path and all that follows)."""
    scheme, mark, rest = url.partition("://")
    end = re.search("[/#]", rest)
    place = len(rest) if end is None else end.start()
    return (scheme + mark + rest[:place]).lower(), rest[place:]


def address_problem(address: str, networks: Iterable[Network]) -> str:
    """Why a partner may not have us speak with this network address, in words after it; empty where it may."""
    try:
        found = _meant(ip_address(address.partition("%")[0]))
    except ValueError:
        return "is no network address"
    if any(found.version == network.version and found in network for network in networks):
        return ""
    if found.is_global and not found.is_multicast:
        return ""
    return f"is {_kind(found)}, and the partner's profile does not allow it"


def host_problem(host: str, networks: Iterable[Network]) -> str:
    """The same of a host as far as its name says where it is; what others resolve to is known only when they are called."""
    if host.rstrip(".").lower() == "localhost" or host.rstrip(".").lower().endswith(".localhost"):
        return _localhost_problem(tuple(networks))
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return address_problem(host, networks)


def _localhost_problem(networks: tuple[Network, ...]) -> str:
    problems = [address_problem(address, networks) for address in ("127.0.0.1", "::1")]
    return problems[0] if all(problems) else ""


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _kind(address: IPv4Address | IPv6Address) -> str:
    if address.is_loopback:
        return "this machine itself"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "no address of anybody"
    return "a private or reserved address"
