"""What this head-end can tell partners: notifications by server, and which servers of theirs take each.

Source  wsdl/publications.json, wsdl/SOURCES.md; reference/multispeak.md 11
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from headend.model.partner import PeerServer
from multispeak.contract import Contract
from wsdl import publications_text

_NOT_OURS = {
    "InHomeDisplayInstalledNotification",
    "MeterBaseInstalledNotification",
    "OutageReasonChangedNotification",
    "OutageReasonContainerChangedNotification",
}
"""Publications of what no head-end of this kind sees: displays, meter bases, and the reasons an operator finds for an outage."""


@dataclass(frozen=True)
class Publications:
    """Those of one MultiSpeak version: server → notifications in order of name; notification → servers that take it."""

    by_server: Mapping[str, tuple[str, ...]]
    takers: Mapping[str, tuple[PeerServer, ...]]

    @classmethod
    def of(cls, contract: Contract) -> "Publications":
        """What the charts say and the contract has."""
        peers = {peer: contract.services.get(f"{peer}_Server") for peer in PeerServer}
        takers: dict[str, tuple[PeerServer, ...]] = {}
        for peer, service in peers.items():
            for name in service.operations if service else ():
                takers[name] = (*takers.get(name, ()), peer)
        charts: dict[str, list[str]] = json.loads(publications_text())
        by_server = {server: tuple(n for n in names if n in takers and n not in _NOT_OURS) for server, names in charts.items()}
        return cls(by_server, takers)
