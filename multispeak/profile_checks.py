"""Profiles of partners held against the contracts: patterns that match nothing and notifications that nobody takes are mistakes."""

from collections.abc import Iterable, Sequence

from headend.model.partner import Partner
from multispeak.contract import Contract
from multispeak.publications import Publications
from multispeak.wsdl_rendering import SERVED


def profile_problems(contracts: Sequence[Contract], partners: Iterable[Partner]) -> list[tuple[str, str]]:
    """(which partner, what is wrong), for everything that no version knows."""
    operations = [(server, name) for contract in contracts for server in SERVED for name in contract.services[server].operations]
    taken = {name for contract in contracts for name in Publications.of(contract).takers}
    problems: list[tuple[str, str]] = []
    for partner in partners:
        place = f"partner {partner.user_id!r}"
        for pattern in partner.operations:
            alone = Partner(partner.user_id, partner.name, "", operations=(pattern.removeprefix("!"),))
            if not any(alone.may_call(server, name) for server, name in operations):
                problems.append((place, f"operations: {pattern!r} matches none of this head-end's"))
        problems += [
            (place, f"notifications.urls: no server of any version takes {name}")
            for name in partner.notifications.notification_urls
            if name not in taken
        ]
    return problems
