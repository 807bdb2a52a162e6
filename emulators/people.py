"""Who lives where: names and addresses put together from pools of a generator library, a seeded pick for each customer.

The library makes about 5,000 names a second; a utility of 100,000 wants them sooner, so its words are drawn once into pools.
"""

from dataclasses import dataclass

from faker import Faker

from emulators.seeding import between, mix
from headend.model.endpoint import Customer

FIRST_NAMES, LAST_NAMES, STREETS, COMPANIES, TOWNS = 400, 800, 300, 300, 6
"""Sizes of the pools: 320,000 different names."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a premise is; degrees are WGS 84."""

    line: str
    city: str
    state: str
    postal_code: str
    latitude: float
    longitude: float


class People:
    """The customers of one utility, by number of their premise."""

    __slots__ = ("_companies", "_first", "_last", "_seed", "_street_towns", "_streets", "_towns")

    def __init__(self, seed: int) -> None:
        fake = Faker("en_US", use_weighting=False)
        fake.seed_instance(seed)
        self._seed = seed
        self._first = [fake.first_name() for _ in range(FIRST_NAMES)]
        self._last = [fake.last_name() for _ in range(LAST_NAMES)]
        self._streets = [fake.street_name() for _ in range(STREETS)]
        self._street_towns = [mix(seed, 32, street) for street in range(STREETS)]
        self._companies = [fake.company() for _ in range(COMPANIES)]
        self._towns = [(fake.city(), fake.postcode_in_state("IL")) for _ in range(TOWNS)]

    def customer(self, premise: int, business: bool) -> Customer:
        """Who holds the account of a premise."""
        chance = mix(self._seed, 31, premise)
        first = self._first[chance % FIRST_NAMES]
        last = self._last[(chance >> 12) % LAST_NAMES]
        person = f"{first} {last}"
        name = f"{self._companies[(chance >> 24) % COMPANIES]} {premise % 100}" if business else person
        phone = f"({between(chance >> 8, 200, 989)}) 555-{between(chance >> 20, 0, 9999):04d}"
        email = f"{first}.{last}{premise}@example.com".lower().replace(" ", "").replace("'", "")
        return Customer(f"{100_000_000 + premise}", name, phone, email)

    def address(self, premise: int) -> Address:
        """Where a premise is; no two have the same line and town."""
        chance = self._street_towns[premise % STREETS]
        number = 100 + premise // STREETS * 2 + premise % 2
        city, postal_code = self._towns[chance % TOWNS]
        place = mix(self._seed, 33, premise)
        latitude = 41.2 + (chance % TOWNS) * 0.11 + (place % 1000) / 10_000
        longitude = -88.6 + (chance % TOWNS) * 0.07 + (place // 1000 % 1000) / 10_000
        line = f"{number} {self._streets[premise % STREETS]}"
        return Address(line, city, "IL", postal_code, round(latitude, 6), round(longitude, 6))
