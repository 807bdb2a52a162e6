"""Tables of what is to be collected when, and of what came of it by day: plans, gaps, gas days; as `schema` has the rest."""

from sqlalchemy import Table

from adapters.store.columns import big as _big
from adapters.store.columns import integer as _int
from adapters.store.columns import metadata
from adapters.store.columns import small as _small
from adapters.store.columns import text as _text

collection_plan = Table(
    "collection_plan",
    metadata,
    _text("kind", key=True),
    _text("group_id", key=True),
    _text("begins"),
    _int("window_minutes"),
    _big("followed_us"),
)

interval_gap = Table(
    "interval_gap", metadata, _int("endpoint_id", key=True), _big("start_us", key=True), _big("end_us"), _int("tries")
)

gap_mark = Table("gap_mark", metadata, _small("one", key=True), _int("day"))

gas_day = Table(
    "gas_day",
    metadata,
    _int("day", key=True),
    _int("endpoint_id", key=True),
    _small("state"),
    _small("channel_id", nullable=True),
    _big("volume"),
    _small("exponent"),
    _int("present"),
    _int("expected"),
    _big("register_us", nullable=True),
    _big("register_value", nullable=True),
    _small("register_exponent", nullable=True),
    _big("taken_us"),
)

gas_day_adjustment = Table(
    "gas_day_adjustment",
    metadata,
    _int("day", key=True),
    _int("endpoint_id", key=True),
    _big("at_us", key=True),
    _small("channel_id", nullable=True),
    _big("volume_before"),
    _small("exponent_before"),
    _int("present_before"),
    _int("expected_before"),
    _big("volume"),
    _small("exponent"),
    _int("present"),
    _int("expected"),
)

gas_day_mark = Table("gas_day_mark", metadata, _small("one", key=True), _int("taken_day"), _int("closed_day"), _big("change_seq"))
