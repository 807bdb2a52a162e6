"""First-tier diagnosis of a silent endpoint: what is known without going there, in the order in which an operator would ask; pure."""

from dataclasses import dataclass
from datetime import datetime

from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.work_item import Party
from headend.router_health import RouterHealth

AREA_PERCENT, AREA_NEIGHBOURS = 50, 3
"""So much of a router's other endpoints, and so many of them, silent too: it is not this one's own trouble."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a silent endpoint.

    `route` is how it is reached, `neighbours` the other active endpoints behind its router, of which `neighbours_silent` are not heard.
    `outage_since` is when it reported an outage that has not ended, as far as is known.
    """

    route: str
    battery: bool
    heard: datetime | None
    router: str | None = None
    health: RouterHealth | None = None
    neighbours: int = 0
    neighbours_silent: int = 0
    outage_since: datetime | None = None
    last_exception: ExceptionRecord | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The likeliest cause in a sentence, all that was found, and whose turn it is."""

    verdict: str
    findings: tuple[str, ...]
    routed_to: Party = Party.UTILITY

    @property
    def text(self) -> str:
        """All of it in one paragraph."""
        return "; ".join((self.verdict, *self.findings))


def diagnose(evidence: Evidence) -> Diagnosis:
    """The likeliest cause; what speaks for another is among the findings."""
    findings = tuple(_findings(evidence))
    exception = evidence.last_exception
    if evidence.health is not None and evidence.health.silent:
        return Diagnosis(f"its router {evidence.router} is down", findings)
    if evidence.outage_since is not None:
        return Diagnosis("it reported an outage and has not come back: no power, or removed", findings)
    if exception is not None and exception.kind is ExceptionKind.SECURITY:
        return Diagnosis("it answers, and what it says cannot be verified: its key is not the one known here", findings, Party.OPERATOR)
    if exception is not None and exception.kind is ExceptionKind.CLOCK and (evidence.heard is None or exception.occurred > evidence.heard):
        return Diagnosis("what comes from it is dated wrongly and not believed: its clock, or old messages played again", findings)
    if _is_area(evidence):
        return Diagnosis(f"not alone: most endpoints behind router {evidence.router} are silent", findings)
    if evidence.heard is None:
        return Diagnosis("never heard: not powered, out of reach, or shipped with another address or title", findings)
    if evidence.battery:
        return Diagnosis("it alone is silent: battery, antenna, or what covers it", findings)
    return Diagnosis("it alone is silent: power, removal, or its radio", findings)


def _is_area(evidence: Evidence) -> bool:
    silent = evidence.neighbours_silent
    return silent >= AREA_NEIGHBOURS and silent * 100 >= evidence.neighbours * AREA_PERCENT


def _findings(evidence: Evidence) -> list[str]:
    found = ["never heard" if evidence.heard is None else f"last heard {_utc(evidence.heard)}", f"reached by {evidence.route}"]
    found.append(_router(evidence))
    if evidence.router is not None:
        found.append(f"{evidence.neighbours_silent} of its {evidence.neighbours} neighbours silent")
    outage = evidence.outage_since
    found.append("no outage reported" if outage is None else f"outage reported {_utc(outage)}")
    exception = evidence.last_exception
    if exception is not None:
        found.append(f"last exception {_utc(exception.occurred)}: {exception.kind.value}, {exception.reason}")
    return found


def _router(evidence: Evidence) -> str:
    if evidence.router is None:
        return "no router before it"
    health = evidence.health
    if health is None:
        return f"router {evidence.router} is not watched"
    status = health.status
    told = [f"router {evidence.router} {health.state.value}"]
    if status.mesh_nodes is not None:
        told.append(f"{status.mesh_nodes} nodes in its mesh")
    if status.rssi_dbm is not None:
        told.append(f"its uplink {status.rssi_dbm} dBm")
    return ", ".join(told)


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
