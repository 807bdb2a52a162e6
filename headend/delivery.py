"""When a file is tried again, and when it is given up. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from headend.model.delivery import DeliveryState


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Choices of one target: waits in seconds, the first one doubled up to the longest; after `give_up_days` a file is parked.

    A person is told `alert_minutes` before a deadline is missed.
    """

    retry_seconds: float = 10.0
    retry_seconds_max: float = 900.0
    give_up_days: float = 3.0
    alert_minutes: float = 30.0

    @property
    def ahead(self) -> timedelta:
        """How long before a deadline somebody is told."""
        return timedelta(minutes=self.alert_minutes)

    def after_failure(self, tries: int, created: datetime, now: datetime) -> tuple[DeliveryState, datetime | None]:
        """(what a file is that has failed so often, when it is tried again)."""
        if now - created >= timedelta(days=self.give_up_days):
            return DeliveryState.PARKED, None
        # The exponent is bounded too: a wait of 2^1000 seconds is no number of them.
        wait = min(self.retry_seconds * 2.0 ** min(max(tries - 1, 0), 20), self.retry_seconds_max)
        return DeliveryState.QUEUED, now + timedelta(seconds=wait)
