"""A meter as answers about readings name it."""

from typing import NamedTuple

from headend.model.endpoint import CONFIGURATIONS, Commodity, EndpointId
from headend.model.partner import MeterIdentifier


class Meter(NamedTuple):
    """One endpoint by its identifiers, and when it was last read.

    `ap_title` is empty where none is known. `newest_us` is the instant of its newest register read in microseconds since 1970 UTC, None
    where none was ever collected.
    """

    endpoint_id: EndpointId
    meter_no: str
    serial_no: str
    ap_title: str
    configuration: str
    active: bool
    newest_us: int | None

    @property
    def commodity(self) -> Commodity:
        return CONFIGURATIONS[self.configuration].commodity

    def called(self, identifier: MeterIdentifier) -> str:
        """What a partner calls this meter."""
        match identifier:
            case MeterIdentifier.METER_NO:
                return self.meter_no
            case MeterIdentifier.SERIAL_NO:
                return self.serial_no
            case MeterIdentifier.AP_TITLE:
                return self.ap_title
