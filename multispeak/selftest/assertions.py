"""What a self-test asserts: one operation, what was sent, what came, and the verdict. Values only."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What is to be said of one operation."""

    PASSED = "passed"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "not called"
    ABSENT = "not advertised"


MEANINGS = {
    Verdict.PASSED: "request and answer are valid against the contract; the note tells of refused objects",
    Verdict.REFUSED: "answered by a well-formed fault that puts the cause on the caller's side; nothing is asserted of the operation",
    Verdict.FAILED: "no answer, one that the contract does not allow, a fault of the server's own, or one that it does not implement",
    Verdict.SKIPPED: "acts on the head-end or in the field, and effects were not asked for",
    Verdict.ABSENT: "in the contract; neither the WSDL nor GetMethods of this server has it",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one answer, and why."""

    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One line of the document. `sent` and `received` are envelopes without secrets, their heads where they are long."""

    operation: str
    verdict: Verdict
    request: str = ""
    note: str = ""
    sent: str = field(default="", repr=False)
    received: str = field(default="", repr=False)
    seconds: float | None = None


@dataclass(slots=True)
class ServiceReport:
    """All assertions on one service."""

    service: str
    version: str
    url: str
    assertions: list[Assertion] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many of each verdict."""
        return Counter(assertion.verdict for assertion in self.assertions)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole document."""

    address: str
    user_id: str
    soap: str
    effects: bool
    began: datetime
    tool: str
    services: list[ServiceReport]

    @property
    def counts(self) -> Counter[Verdict]:
        """How many of each verdict over all services."""
        return total(service.counts for service in self.services)

    @property
    def failed(self) -> bool:
        """Whether any assertion failed."""
        return self.counts[Verdict.FAILED] > 0


def total(counts: Iterable[Counter[Verdict]]) -> Counter[Verdict]:
    """The sum."""
    found: Counter[Verdict] = Counter()
    for count in counts:
        found.update(count)
    return found
