"""How long an endpoint is silent before it is worried about, as a settings file says it: in hours, per utility."""

from pydantic import Field, model_validator

from headend.settings_section import Section
from headend.silence import SilencePolicy


class SilenceSettings(Section):
    """Hours after which an endpoint that should have been heard is late, not communicating, under investigation: that is a work item.

    How often battery endpoints wake is what they say, or else what their plans say.
    """

    late_hours: float = Field(default=6, gt=0, le=8_760)
    not_communicating_hours: float = Field(default=24, gt=0, le=8_760)
    investigate_hours: float = Field(default=72, gt=0, le=8_760)

    @model_validator(mode="after")
    def _in_order(self) -> "SilenceSettings":
        if not self.late_hours <= self.not_communicating_hours <= self.investigate_hours:
            raise ValueError("late_hours, not_communicating_hours and investigate_hours are not in order")
        return self

    @property
    def policy(self) -> SilencePolicy:
        """The same as the core goes by it."""
        return SilencePolicy(
            late_seconds=self.late_hours * 3_600,
            not_communicating_seconds=self.not_communicating_hours * 3_600,
            investigate_seconds=self.investigate_hours * 3_600,
        )
