"""The meter models of the pretended utility, which differ in everything that a meter's tables may say differently.

What varies: octet order, time format and zone, number formats, access, interval formats, statuses, scalars, block sizes and where
blocks begin, self-read layout, size of replies.
"""

from dataclasses import dataclass, field
from typing import Final

from emulators.profile import ProfileSpec, StatusForm
from emulators.seeding import mix
from headend.c1219.clock import ClockKind
from headend.c1219.fields import Formats
from headend.c1219.general_tables import Access
from headend.c1219.register_tables import RegisterFlag
from headend.errors import RequestError
from headend.model.endpoint import CONFIGURATIONS

QUANTITY_EXPONENTS: Final = {"energy": 0, "reactive": 0, "voltage": -1, "gas": -3, "water": -3}
"""Power of ten in which the load curves count each kind of channel: Wh, varh, 0.1 V, dm³."""

@dataclass(frozen=True, slots=True)
class SetForm:
    """How a model keeps a profile set: value octets, raw units per quantity, blocks and intervals a block.

    `divisor` and `exponent` undo `scale`: quantity in the channel's unit = raw / divisor × 10^exponent.
    """

    octets: int
    scale: int
    divisor: int
    exponent: int
    intervals: int
    blocks: int


@dataclass(frozen=True, slots=True)
class ModelForm:
    """One meter model. `register_exponent`: registers count 10^exponent of the unit; `reply_octets`: EPSEM octets it can answer."""

    name: str
    formats: Formats
    access: Access
    shown: ClockKind
    status: StatusForm
    energy: SetForm
    voltage: SetForm | None
    register_exponent: int
    register_flags: RegisterFlag
    self_reads: int
    reply_octets: int
    segment_octets: int = 0
    end_readings: bool = False
    descending: bool = False
    phase_seconds: int = 0
    event_number: bool = False
    events: int = 100
    eras: tuple[tuple[int, int], ...] = field(default=())
    """(days before the world's start, minutes): when shorter intervals began."""


def _formats(little: bool, time: int, ni1: int, ni2: int, id_bcd: bool = False) -> Formats:
    return Formats(little=little, time_code=time, int_format=0, ni1_code=ni1, ni2_code=ni2, id_bcd=id_bcd)


_SEQUENCED = RegisterFlag.SEQUENCE | RegisterFlag.DATE_TIME | RegisterFlag.DAILY_SELF_READ
_PLAIN = RegisterFlag.DATE_TIME | RegisterFlag.DAILY_SELF_READ
_RESETS = RegisterFlag.DATE_TIME | RegisterFlag.RESET_COUNTER | RegisterFlag.DAILY_SELF_READ
_SEASONS = RegisterFlag.DATE_TIME | RegisterFlag.SEASON | RegisterFlag.SEQUENCE | RegisterFlag.DAILY_SELF_READ
_EXT, _SIMPLE = StatusForm.EXTENDED, StatusForm.SIMPLE

_R100 = ModelForm(
    "HE-R100",
    _formats(True, 4, 0, 8),
    Access.BOTH,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(2, 1, 1, 0, 24, 45),
    voltage=SetForm(2, 1, 10, 0, 96, 45),
    register_exponent=3,
    register_flags=_SEQUENCED,
    self_reads=45,
    reply_octets=1_150,
)
_R150 = ModelForm(
    "HE-R150",
    _formats(False, 4, 10, 8),
    Access.OFFSET,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(2, 1, 1, 0, 24, 200),
    voltage=SetForm(2, 2, 20, 0, 48, 90),
    register_exponent=0,
    register_flags=_PLAIN,
    self_reads=45,
    reply_octets=1_150,
    eras=((12, 15), (5, 5)),
)
_G20 = ModelForm(
    "HE-G20",
    _formats(False, 3, 10, 7, id_bcd=True),
    Access.INDEX,
    ClockKind.UTC,
    _SIMPLE,
    energy=SetForm(4, 5, 5, 0, 12, 90),
    voltage=SetForm(2, 10, 1, -2, 32, 135),
    register_exponent=0,
    register_flags=_RESETS,
    self_reads=40,
    reply_octets=515,
    descending=True,
    phase_seconds=6 * 3600,
    event_number=True,
)
_K5 = ModelForm(
    "HE-K5",
    _formats(True, 1, 5, 6),
    Access.FULL_ONLY,
    ClockKind.WALL,
    _EXT,
    energy=SetForm(4, 2, 2, 0, 24, 8),
    voltage=SetForm(2, 1, 10, 0, 96, 8),
    register_exponent=0,
    register_flags=_SEASONS,
    self_reads=30,
    reply_octets=15_000,
    segment_octets=1_000,
    end_readings=True,
    phase_seconds=5 * 3600,
    events=40,
)
_C300 = ModelForm(
    "HE-C300",
    _formats(False, 4, 11, 8),
    Access.OFFSET,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(4, 1, 1, 0, 24, 180),
    voltage=SetForm(2, 1, 10, 0, 24, 180),
    register_exponent=0,
    register_flags=_SEQUENCED,
    self_reads=45,
    reply_octets=1_150,
    event_number=True,
)
_C500 = ModelForm(
    "HE-C500",
    _formats(True, 2, 9, 7),
    Access.BOTH,
    ClockKind.STANDARD,
    _EXT,
    energy=SetForm(4, 4, 4, 0, 16, 270),
    voltage=SetForm(2, 10, 1, -2, 16, 270),
    register_exponent=0,
    register_flags=_RESETS,
    self_reads=45,
    reply_octets=900,
    phase_seconds=2 * 3600,
)
_HG5 = ModelForm(
    "HE-GM5",
    _formats(True, 4, 8, 8),
    Access.OFFSET,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(4, 1, 1, -3, 6, 160),
    voltage=None,
    register_exponent=-3,
    register_flags=_SEQUENCED,
    self_reads=45,
    reply_octets=1_150,
)
_HG7 = ModelForm(
    "HE-GM7",
    _formats(False, 3, 0, 7),
    Access.BOTH,
    ClockKind.UTC,
    _SIMPLE,
    energy=SetForm(2, 1, 1_000, 0, 6, 160),
    voltage=None,
    register_exponent=0,
    register_flags=_PLAIN,
    self_reads=45,
    reply_octets=1_150,
    event_number=True,
)
_HW1 = ModelForm(
    "HE-WM1",
    _formats(True, 3, 10, 8),
    Access.OFFSET,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(2, 1, 1, -3, 6, 160),
    voltage=None,
    register_exponent=-3,
    register_flags=_PLAIN,
    self_reads=45,
    reply_octets=1_150,
)
_HW9 = ModelForm(
    "HE-WM9",
    _formats(False, 4, 5, 6),
    Access.BOTH,
    ClockKind.UTC,
    _EXT,
    energy=SetForm(4, 2, 2_000, 0, 6, 160),
    voltage=None,
    register_exponent=-3,
    register_flags=_SEASONS,
    self_reads=45,
    reply_octets=1_150,
)

_CHOICES: Final = {
    "residential": (_R100, _R100, _G20, _R100, _K5),
    "residential-net": (_R100, _G20),
    "residential-tou": (_R100, _K5),
    "commercial": (_C300, _C500),
    "commercial-net": (_C500, _C300),
    "gas": (_HG5, _HG7),
    "water": (_HW1, _HW9),
    "water-valve": (_HW9, _HW1),
}
MODELS: Final = {form.name: form for form in (_R100, _R150, _G20, _K5, _C300, _C500, _HG5, _HG7, _HW1, _HW9)}


def model_of(seed: int, index: int, configuration: str, changed: bool) -> ModelForm:
    """The model of one endpoint; `changed`: one whose interval length was changed in mid-history."""
    if changed and configuration == "residential":
        return _R150
    choices = _CHOICES[configuration]
    return choices[mix(seed, 51, index) % len(choices)]


def quantity_exponent(channel: str) -> int:
    """The power of ten of the load curves' integers for a channel."""
    return QUANTITY_EXPONENTS[channel.partition("_")[0]]


def profile_specs(form: ModelForm, configuration: str, phase_seconds: int) -> tuple[ProfileSpec, ...]:
    """The profile sets of a model that measures `configuration`: consumption, then voltage where it has any."""
    intervals = CONFIGURATIONS[configuration].intervals
    volts = tuple(c for c in intervals if c[0].startswith("voltage"))
    specs = [_spec(form, form.energy, tuple(c for c in intervals if c not in volts), phase_seconds)]
    if volts:
        if form.voltage is None:
            raise RequestError(f"model {form.name} measures no voltage, {configuration} needs it")
        specs.append(_spec(form, form.voltage, volts, phase_seconds))
    return tuple(specs)


def _spec(form: ModelForm, kept: SetForm, intervals: tuple[tuple[str, int], ...], phase_seconds: int) -> ProfileSpec:
    channels = tuple(name for name, _ in intervals)
    signed = "energy_net" in channels
    octets = max(kept.octets, 4) if signed else kept.octets
    return ProfileSpec(
        channels=channels,
        interval_seconds=intervals[0][1],
        blocks=kept.blocks,
        intervals=kept.intervals,
        value=f"{'<' if form.formats.little else '>'}{'i' if signed else 'u'}{octets}",
        scale=(kept.scale,) * len(channels),
        status=form.status,
        descending=form.descending,
        end_readings=form.end_readings,
        stamp_octets=form.formats.time.stime_size,
        reading_octets=form.formats.ni1.size,
        observes_dst=form.shown is ClockKind.WALL,
        phase_seconds=phase_seconds,
    )
