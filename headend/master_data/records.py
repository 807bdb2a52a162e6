"""Master data as it is kept: one frozen value an object, told apart by `kind` and `key`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from headend.model.endpoint import CONFIGURATIONS, Commodity, NativeAddress


class Kind(StrEnum):
    """What an object of master data is."""

    METER = "meter"
    INSTALLATION = "installation"
    SERVICE_POINT = "servicePoint"
    ACCOUNT = "account"
    CUSTOMER = "customer"
    SWITCH = "switch"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class CommunicationFacts:
    """What is needed to speak with a device; `address` is None for one that will register."""

    ap_title: str
    key_id: int
    router: str | None
    address: NativeAddress | None


@dataclass(frozen=True, slots=True)
class Meter:
    """A device; `communication` is None until it has been shipped."""

    meter_no: str
    serial_no: str
    model: str
    configuration: str
    active: bool = True
    muted: bool = False
    communication: CommunicationFacts | None = None

    @property
    def commodity(self) -> Commodity:
        return CONFIGURATIONS[self.configuration].commodity


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays, under the name and number of its customer; `customer_id` is None where no customer was named."""

    account_no: str
    name: str = ""
    phone: str = ""
    email: str = ""
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """A person or firm that holds accounts."""

    customer_id: str
    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """A connect/disconnect device at a meter, as a partner tells of it; a meter with a built-in one needs no such record."""

    meter_no: str
    device_id: str
    present: bool


@dataclass(frozen=True, slots=True)
class Document:
    """An object that this head-end keeps and does not act upon: what was said of it, in the words of the standard.

    `ended` says how it ended ("removed", "retired", "exchanged"), empty while it lasts.
    """

    document_kind: str
    object_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    ended: str = ""


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """Which installation is meant: a meter is in one place at a time."""

    meter_no: str
    started: datetime

    def __str__(self) -> str:
        return f"{self.meter_no}@{self.started.isoformat()}"


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """Which document is meant."""

    document_kind: str
    object_id: str

    def __str__(self) -> str:
        return f"{self.document_kind} {self.object_id}"
