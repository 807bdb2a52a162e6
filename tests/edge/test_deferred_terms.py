"""Until when, and where, the outcome of a deferred operation is wanted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.store.instants import to_us
from headend.model.habits import Habit
from headend.model.partner import NotificationProfile, PeerServer
from tests.fakes.deferred_requests import call, errors, fault, furnished, stored
from tests.fakes.soap_world import NOW
from tests.fakes.store_site import StoreSite


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    return furnished(store_site)


@pytest.mark.parametrize(
    ("version", "tail", "expected"),
    [
        ("3.0", "<expirationTime>0</expirationTime>", timedelta(days=1)),
        ("3.0", "", timedelta(days=1)),
        ("3.0", "<expirationTime>1.5</expirationTime>", timedelta(seconds=1.5)),
        ("3.0", "<expirationTime>46084.4375</expirationTime>", timedelta(minutes=90)),
        ("3.0", "<expirationTime>-1</expirationTime>", "expired when it arrived"),
        ("3.0", "<expirationTime>46084.25</expirationTime>", "expired when it arrived"),
        ("3.0", "<expirationTime>NaN</expirationTime>", "is no time"),
        ("3.0", "<expirationTime>1e30</expirationTime>", "more than 366 days"),
        ("4.1.6", "", timedelta(days=1)),
        ("4.1.6", '<expTime units="Milliseconds">1500</expTime>', timedelta(seconds=1.5)),
        ("4.1.6", "<expTime>90</expTime>", timedelta(seconds=90)),
        ("4.1.6", '<expTime units="Hours">0.5</expTime>', timedelta(minutes=30)),
        ("4.1.6", '<expTime units="Weeks">1</expTime>', timedelta(days=7)),
        ("4.1.6", '<expTime units="Months">1</expTime>', timedelta(days=30)),
        ("4.1.6", '<expTime units="Years">1</expTime>', timedelta(days=365)),
        ("4.1.6", '<expTime units="Years">2</expTime>', "more than 366 days"),
        ("4.1.6", '<expTime units="Other">2</expTime>', "units 'Other'"),
        ("4.1.6", '<expTime units="Days">-2</expTime>', "expired when it arrived"),
    ],
)
def test_expirations(site: StoreSite, version: str, tail: str, expected: timedelta | str) -> None:
    operation = "InitiateDemandReset"
    answer = call(site, version, operation, tail=tail)
    if isinstance(expected, str):
        code, text = fault(answer)
        assert (code, expected in text) == ("Client.InvalidExpiration", True)
        assert stored(site) == []
    else:
        assert errors(answer) == {}
        assert stored(site)[0]["expires_us"] == to_us(NOW + expected)


def test_an_ole_date_is_seconds_for_a_partner_that_is_not_tolerated_it(site: StoreSite) -> None:
    site.partner = replace(site.partner, tolerated=site.partner.tolerated - {Habit.OLE_EXPIRATION})
    call(site, "3.0", "InitiateDemandReset", tail="<expirationTime>46084.4375</expirationTime>")
    assert stored(site)[0]["expires_us"] == to_us(NOW + timedelta(seconds=46_084.4375))


@pytest.mark.parametrize("url", ["", "nowhere", "https://cis.example/3.0/CB_Server", "https://cis.example/OA_Server"])
def test_an_address_that_will_not_do_falls_back_to_the_profile_or_is_refused(site: StoreSite, url: str) -> None:
    code, text = fault(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", url=url))
    assert (code, "no address for ReadingChangedNotification" in text) == ("Client.ResponseURL", True)
    profile = NotificationProfile(urls={PeerServer.OA: "https://oa.example/", PeerServer.CB: "https://cb.example/"})
    site.partner = replace(site.partner, notifications=profile)
    assert errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", url=url)) == {}
    assert stored(site)[0]["response_url"] == "https://cb.example/"
