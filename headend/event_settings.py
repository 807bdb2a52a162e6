"""A utility's own entries in the catalogue of events, as its settings file says them: changes to known codes, and codes of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from headend.event_catalogue import DEFAULT_CATALOGUE
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, CimCode, EventCatalogue, EventKind, OutageMeaning, Severity, VoltsArgument
from headend.settings_section import Section


class VoltsSettings(Section):
    """How the argument of an event holds its voltage: as VoltsArgument says."""

    exponent: int = Field(default=0, ge=-3, le=3)
    little_endian: bool = False


class EventKindSettings(Section):
    """One entry. What is not said stays as it is in the catalogue; a code that is new there needs name, severity and category.

    `cim` is domain, sub-domain and event of IEC 61968-9 (`26.0.47`), `phrase` MultiSpeak 3.0's words for it; an empty one takes it away.
    """

    code: int = Field(ge=0, lt=1 << 31)
    name: str = Field(default="", max_length=120)
    severity: Severity | None = None
    category: Category | None = None
    commodities: frozenset[Commodity] | None = None
    cim: str | None = Field(default=None, pattern=r"^(\d{1,3}\.\d{1,3}\.\d{1,3})?$")
    phrase: str | None = Field(default=None, max_length=120)
    outage: Literal["outage", "restoration", "none"] | None = None
    clears: int | None = None
    volts: VoltsSettings | None = None

    @property
    def kind(self) -> EventKind:
        """The whole entry. Raises ValueError for a new code that lacks something."""
        known = DEFAULT_CATALOGUE.kinds.get(self.code)
        if known is None:
            if not self.name or self.severity is None or self.category is None:
                raise ValueError(f"event {self.code} is new to the catalogue: it needs name, severity and category")
            known = EventKind(self.code, self.name, frozenset(Commodity), self.severity, self.category)
        kind = EventKind(
            code=self.code,
            name=self.name or known.name,
            commodities=known.commodities if self.commodities is None else self.commodities,
            severity=self.severity or known.severity,
            category=self.category or known.category,
            cim=known.cim,
            phrase=known.phrase if self.phrase is None else self.phrase,
            outage=known.outage,
            clears=known.clears if self.clears is None else self.clears,
            volts=known.volts if self.volts is None else VoltsArgument(self.volts.exponent, self.volts.little_endian),
        )
        if self.cim is not None:
            kind = replace(kind, cim=CimCode(*map(int, self.cim.split("."))) if self.cim else None)
        if self.outage is not None:
            kind = replace(kind, outage=None if self.outage == "none" else OutageMeaning(self.outage))
        return kind


def catalogue_of(entries: Sequence[EventKindSettings]) -> EventCatalogue:
    """The common catalogue with a utility's own entries. Raises RequestError, ValueError."""
    return DEFAULT_CATALOGUE.changed(entry.kind for entry in entries) if entries else DEFAULT_CATALOGUE
