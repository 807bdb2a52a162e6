"""What looks like theft, as a settings file says it: thresholds, per utility."""

from pydantic import Field

from headend.settings_section import Section
from headend.suspicion import SuspicionPolicy


class SuspicionSettings(Section):
    """A meter is suspected that counts at most `no_use_wh` in `no_use_days` (0: none is) though at least `present_volts` are there;
    that feeds in `reverse_wh` in a day and is not to; through whose open switch `open_wh` passed; that tells of tampering.
    """

    no_use_days: int = Field(default=14, ge=0, le=60)
    no_use_wh: int = Field(default=0, ge=0, le=1_000_000)
    present_volts: int = Field(default=90, ge=1, le=1_000)
    reverse_wh: int = Field(default=500, ge=1, le=1_000_000_000)
    open_wh: int = Field(default=500, ge=1, le=1_000_000_000)

    @property
    def policy(self) -> SuspicionPolicy:
        """The same as the core goes by it."""
        return SuspicionPolicy(**self.model_dump())
