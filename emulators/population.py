"""Which endpoints there are: configuration, model, place in the network, numbers and keys, all from a seed and an index.

Nothing is stored for an endpoint that could be told again from its index: 100,000 of them are to be small.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

from emulators.seeding import derive_key, mix
from headend.c1222.identifiers import ApTitle
from headend.errors import RequestError
from headend.model.endpoint import CONFIGURATIONS, Commodity, Transport

SIZE_MAX: Final = 1_000_000
"""Endpoints of one utility: what the numbering holds."""

PER_ROUTER: Final = 500
"""Endpoints behind a router unless told otherwise."""

CELLULAR_EVERY: Final = 33
"""One endpoint in so many has an address of its own, about 3 %."""

CELLULAR_MAX: Final = 300
"""Endpoints with a socket of their own in one process: leaves room under the usual 1,024 open files."""

TCP_EVERY: Final = 5
"""One cellular endpoint in so many speaks TCP."""

KEY_ID: Final = 2

_PATTERN: Final = (
    *("residential",) * 11,
    *("residential-net",) * 2,
    *("commercial", "commercial-net"),
    *("gas",) * 2,
    *("water",) * 2,
    "water-valve",
)
"""What twenty endpoints are; shuffled by seed, so that the first twenty have one of each."""

_NUMBERS: Final = 10_000_000
_STRIDE: Final = 7_654_321
"""Coprime to _NUMBERS: meter numbers look scattered, are unique, and lead back to the index."""
_UNSTRIDE: Final = pow(_STRIDE, -1, _NUMBERS)
_PREFIX: Final = {Commodity.ELECTRIC: "1", Commodity.GAS: "4", Commodity.WATER: "7"}


@dataclass(frozen=True, slots=True)
class Identity:
    """All that is fixed about one endpoint. `router` counts from 0, None for a cellular one."""

    index: int
    meter_no: str
    serial_no: str
    configuration: str
    ap_title: ApTitle
    router: int | None
    transport: Transport
    key: bytes = field(repr=False)
    key_id: int = KEY_ID


class Population:
    """The endpoints of one seeded utility."""

    __slots__ = ("_batch", "_cellular", "_pattern", "_shift", "_tou", "routers", "seed", "size")

    def __init__(self, seed: int, size: int, routers: int | None = None, cellular: bool = True, tou: float = 0.0) -> None:
        """`tou` is the percentage of homes that pay by time of use."""
        if not 1 <= size <= SIZE_MAX:
            raise RequestError(f"endpoints: {size} is not within 1 and {SIZE_MAX}")
        self.seed = seed
        self.size = size
        self.routers = routers or max(1, -(-size // PER_ROUTER))
        if self.routers > size:
            raise RequestError(f"routers: {self.routers} are more than the {size} endpoints")
        self._shift = mix(seed, 41) % _NUMBERS
        self._batch = mix(seed, 43) % 100
        pattern = list(_PATTERN)
        Random(seed).shuffle(pattern)
        self._pattern = tuple(pattern)
        self._cellular = cellular
        self._tou = tou

    def configuration(self, index: int) -> str:
        """What the endpoint measures: the name of one of CONFIGURATIONS."""
        name = self._pattern[index % len(self._pattern)]
        if name != "residential" or not self._tou or self.is_changed(index):
            return name
        return "residential-tou" if mix(self.seed, 47, index) % 1_000 < 10 * self._tou else name

    def router(self, index: int) -> int | None:
        """Number of the router the endpoint sits behind; None for a cellular one."""
        if self.is_cellular(index):
            return None
        return mix(self.seed, 42, index) % self.routers if index >= self.routers else index

    def is_cellular(self, index: int) -> bool:
        """Whether the endpoint has an address of its own."""
        return self._cellular and index % CELLULAR_EVERY == CELLULAR_EVERY - 1 and index // CELLULAR_EVERY < CELLULAR_MAX

    def transport(self, index: int) -> Transport:
        """A few of the cellular endpoints speak TCP; battery ones never do."""
        tcp = self.is_cellular(index) and index // CELLULAR_EVERY % TCP_EVERY == 1
        return Transport.TCP if tcp and not CONFIGURATIONS[self.configuration(index)].battery else Transport.UDP

    def meter_no(self, index: int) -> str:
        """Eight digits, the first for the commodity."""
        number = (index * _STRIDE + self._shift) % _NUMBERS
        return _PREFIX[CONFIGURATIONS[self.configuration(index)].commodity] + f"{number:07d}"

    def index_of(self, meter_no: str) -> int | None:
        """The endpoint with a meter number; None when there is none."""
        if len(meter_no) != 8 or not (meter_no.isascii() and meter_no.isdigit()):
            return None
        index = (int(meter_no[1:]) - self._shift) * _UNSTRIDE % _NUMBERS
        return index if index < self.size and self.meter_no(index) == meter_no else None

    def ap_title_text(self, index: int) -> str:
        """`.<100 + router>.<n>`; cellular endpoints are below `.99`."""
        router = self.router(index)
        return f".{99 if router is None else 100 + router}.{index + 1}"

    def identity(self, index: int) -> Identity:
        """Everything fixed about one endpoint."""
        return Identity(
            index=index,
            meter_no=self.meter_no(index),
            serial_no=f"{self._batch:02d}{index:010d}",
            configuration=self.configuration(index),
            ap_title=ApTitle.parse(self.ap_title_text(index)),
            router=self.router(index),
            transport=self.transport(index),
            key=derive_key(self.seed, "meter-key", index),
        )

    def is_changed(self, index: int) -> bool:
        """Whether its interval length was changed in mid-history: one home of twenty endpoints."""
        return index % len(self._pattern) == self._pattern.index("residential")

    def share(self, index: int) -> float:
        """The endpoint's fixed place in 0..100, for faults that strike a percentage."""
        return mix(self.seed, 44, index) % 10_000 / 100

    def premise(self, index: int) -> int:
        """The premise an endpoint serves: a gas or water meter stands where one of the block's homes is."""
        if CONFIGURATIONS[self.configuration(index)].commodity is Commodity.ELECTRIC:
            return index
        block = index - index % len(self._pattern)
        homes = [block + i for i, name in enumerate(self._pattern) if name.startswith("residential") and block + i < self.size]
        return homes[mix(self.seed, 45, index) % len(homes)] if homes else index

    def installed(self, index: int) -> datetime:
        """Since when the endpoint is where it is."""
        days = mix(self.seed, 46, index) % 1_200
        return datetime.fromtimestamp(1_577_988_000 + days * 86_400, UTC)


def router_name(number: int) -> str:
    """The name of a router in files and faults."""
    return f"router-{number + 1:03d}"
