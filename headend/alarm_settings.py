"""How alarms are treated before anybody is told, as a settings file says it, per utility."""

from pydantic import Field

from headend.collection_plan import parse_time
from headend.hygiene import HygienePolicy
from headend.settings_section import Section, WallTime


class AlarmSettings(Section):
    """Durations in seconds; what each means is at HygienePolicy."""

    hold_off_seconds: float = Field(default=30, ge=0, le=600)
    flicker_changes: int = Field(default=6, ge=0, le=32)
    flicker_seconds: float = Field(default=600, ge=1, le=86_400)
    quiet_seconds: float = Field(default=300, ge=0, le=86_400)
    repeat_seconds: float = Field(default=600, ge=0, le=86_400)
    flood_events: int = Field(default=120, ge=1, le=1_000_000)
    flood_seconds: float = Field(default=3_600, ge=1, le=86_400)
    momentaries_a_day: int = Field(default=5, ge=0, le=32)
    storm_outages: int = Field(default=500, ge=1, le=1_000_000)
    storm_seconds: float = Field(default=60, ge=1, le=3_600)
    storm_delay_seconds: float = Field(default=3, ge=0, le=600)
    bellwethers: str = Field(default="", max_length=256)
    logged_events_at: WallTime = "08:00"

    @property
    def policy(self) -> HygienePolicy:
        """The same as the core goes by it."""
        chosen = self.model_dump(exclude={"logged_events_at"})
        return HygienePolicy(**chosen, logged_minutes=parse_time(self.logged_events_at))
