"""Subscriptions: what a registration or the settings make of them, their choices, leases and queues."""

from datetime import UTC, datetime, timedelta

import pytest

from headend.event_catalogue import DEFAULT_CATALOGUE, MOMENTARIES, SWITCH_OPENED
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, Severity
from headend.model.partner import EventChoice, NotificationProfile, Partner, StandingSubscription
from headend.model.registration import Registration
from headend.model.subscription import EventFilter, Subject, of_registration, of_settings, subjects_of
from headend.partner_settings import SubscriptionSettings
from headend.router_catalogue import RouterCode

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
KINDS = DEFAULT_CATALOGUE.kinds


def registered(*names: str) -> Registration:
    return Registration("reg-1", "oms", "3.0", "OD_Server", "http://oms/", None, "OA", names, NOW)


def test_a_registration_holds_as_long_as_its_lease_and_anew_when_it_is_renewed() -> None:
    partner = Partner("oms", "oms", "s3cret-word", notifications=NotificationProfile(events=EventChoice(lease_hours=24)))
    one = of_registration(registered("ODEventNotification", "ODDeviceChangedNotification"), partner)
    assert one.notifications == ("ODEventNotification",)
    assert not one.is_over(NOW + timedelta(hours=23))
    assert one.is_over(NOW + timedelta(hours=24))
    for_good = of_registration(registered("ODEventNotification"), Partner("oms", "oms", "s3cret-word"))
    assert not for_good.is_over(NOW + timedelta(days=10_000))


def test_each_subject_is_told_by_the_first_notification_that_is_wanted() -> None:
    standing = StandingSubscription("desk", "http://oms/", "4.1.6", ("CDStateChangedNotification", "CDStatesChangedNotification"))
    (one,) = of_settings(Partner("oms", "oms", "s3cret-word", notifications=NotificationProfile(subscriptions=(standing,))))
    assert one.wanted(subjects_of(SWITCH_OPENED, KINDS[SWITCH_OPENED])) == [(Subject.SWITCH, "CDStatesChangedNotification")]
    assert one.wanted(subjects_of(47, KINDS[47])) == []


def test_what_can_be_told_of_an_event() -> None:
    assert subjects_of(1, KINDS[1]) == {Subject.OUTAGE, Subject.EVENT, Subject.LOG}
    assert subjects_of(MOMENTARIES, KINDS[MOMENTARIES]) == {Subject.BLINK, Subject.EVENT, Subject.LOG}
    assert subjects_of(RouterCode.DOWN, KINDS[RouterCode.DOWN]) == {Subject.EVENT}
    assert subjects_of(9_999, None) == {Subject.EVENT, Subject.LOG}


def test_a_filter_says_why_it_does_not_want_an_event() -> None:
    chosen = EventFilter(frozenset({Category.POWER}), frozenset({Severity.CRITICAL}), frozenset({Commodity.ELECTRIC}), frozenset({"north"}))
    assert chosen.refusal(KINDS[1], Commodity.ELECTRIC, {"north", "south"}) == ""
    assert chosen.refusal(KINDS[1], Commodity.ELECTRIC, {"south"}) == "it is in none of the groups that are wanted"
    assert chosen.refusal(KINDS[2], Commodity.ELECTRIC, {"north"}) == "severity information is not wanted"
    assert chosen.refusal(KINDS[47], Commodity.ELECTRIC, {"north"}) == "category tamper is not wanted"
    assert chosen.refusal(KINDS[1], Commodity.GAS, {"north"}) == "gas is not wanted"
    assert chosen.refusal(KINDS[1], None, ()) == "events of routers are not wanted"
    assert EventFilter(routers=True).refusal(KINDS[RouterCode.DOWN], None, ()) == ""
    assert EventFilter(only_group="north").refusal(KINDS[1], Commodity.ELECTRIC, ()) == "the meter is unknown to this partner"


def test_a_device_is_always_told_of_in_the_same_queue() -> None:
    one = of_registration(registered("ODEventNotification"), Partner("oms", "oms", "s3cret-word"))
    assert {one.lane(device, urgent=False) for device in range(100)} == {0, 1, 2, 3}
    assert {one.lane(device, urgent=True) for device in range(100)} == {4}
    assert {one.lane(device, urgent=False, late=True) for device in range(100)} == {5}


def test_settings_refuse_notifications_that_are_none_of_events_or_of_the_version() -> None:
    with pytest.raises(ValueError, match="ReadingChangedNotification: notifications of events are"):
        SubscriptionSettings(name="a", url="http://oms/", notifications=("ReadingChangedNotification",))
    with pytest.raises(ValueError, match=r"version 3\.0 has no BlinkAlarmNotification"):
        SubscriptionSettings(name="a", url="http://oms/", version="3.0", notifications=("BlinkAlarmNotification",))
