"""What a person is shown of a command."""

from dataclasses import replace

from headend.cli.command_report import amount
from headend.model.channels import CHANNELS, Unit
from tests.store.world import endpoint_day


def test_energy_is_shown_in_thousands_and_volumes_as_they_are() -> None:
    (read,) = endpoint_day(1).register_reads
    water = next(number for number, channel in CHANNELS.items() if channel.unit is Unit.GALLON)
    assert amount(replace(read, value=12_345_678, exponent=0)) == "12345.678 kWh"
    assert amount(replace(read, value=5, exponent=3)) == "5 kWh"
    assert amount(replace(read, channel_id=water, value=123, exponent=-1)) == "12.3 gal"
