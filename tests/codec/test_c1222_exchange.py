"""Segments, exchanges, replay windows and throttling at their bounds, and against those who mean ill."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1222.apdu import Apdu, SegmentPlace
from headend.c1222.association import Association
from headend.c1222.ber import unsigned_element
from headend.c1222.elements import apdu_octets, information_element, title_element
from headend.c1222.errors import MacError, ReplayError, SegmentError
from headend.c1222.exchange import Responder, next_invocation_id
from headend.c1222.limits import APDU_OCTETS_MAX, MAC_FAILURE_BURST, REPLAY_ENTRIES, REPLAY_SECONDS
from headend.c1222.message import ApTitle, Cipher, SecurityMode, parse_apdu
from headend.c1222.replay import Freshness, MacFailures, ReplayWindow
from headend.c1222.segmentation import Reassembler, split
from headend.errors import SecurityError, WireError
from tests.codec.c1222_vectors import SEGMENTS, VECTORS

NOW = datetime(2025, 7, 21, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
HEAD_END, METER = (ApTitle.parse(t) for t in (".1.4", ".100.1"))


def segment(size: int, offset: int, part: bytes, invocation_id: int = 1) -> Apdu:
    head = title_element(0xA2, HEAD_END) + unsigned_element(0xA3, size) + title_element(0xA6, METER) + unsigned_element(0xA8, invocation_id)
    return parse_apdu(apdu_octets(head + information_element(len(part), unsigned_element(0, offset)[2:]) + part))


def test_a_segment_is_read_as_it_was_made() -> None:
    apdu = segment(300, 200, b"x" * 100)
    assert apdu.segment == SegmentPlace(300, 200)
    assert (apdu.called, apdu.calling, apdu.payload) == (HEAD_END, METER, b"x" * 100)


def test_overlaps_that_agree_make_a_message_and_those_that_do_not_end_it() -> None:
    whole = VECTORS["segmented_full_message"].octets
    reassembler = Reassembler()
    assert reassembler.add(segment(317, 0, whole[:200]), NOW) is None
    assert reassembler.add(segment(317, 50, whole[50:150]), NOW) is None
    assert reassembler.add(segment(317, 100, whole[100:]), NOW) == whole
    assert reassembler.completed == 1
    assert reassembler.add(segment(317, 0, whole[:200]), NOW) is None
    with pytest.raises(SegmentError, match="disagrees"):
        reassembler.add(segment(317, 199, b"\x00" * 100), NOW)
    assert reassembler.add(segment(317, 0, whole[:200]), NOW) is None
    with pytest.raises(SegmentError, match="disagrees"):
        reassembler.add(segment(318, 0, whole[:200]), NOW)
    assert (reassembler.conflicting, len(reassembler)) == (2, 0)


@pytest.mark.parametrize(
    ("size", "offset", "part"), [(0, 0, b"x"), (10, 0, b""), (10, 8, b"xyz"), (10, 300, b"x"), (APDU_OCTETS_MAX, APDU_OCTETS_MAX, b"x")]
)
def test_a_segment_that_is_no_part_is_refused(size: int, offset: int, part: bytes) -> None:
    reassembler = Reassembler()
    with pytest.raises(SegmentError, match="no part"):
        reassembler.add(segment(size, offset, part), NOW)
    assert len(reassembler) == 0


def test_a_size_beyond_the_bound_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(WireError, match="A3"):
        segment(APDU_OCTETS_MAX + 1, 0, b"x")


def test_a_whole_message_among_segments_and_segments_of_no_message_are_refused() -> None:
    reassembler = Reassembler()
    with pytest.raises(SegmentError, match="whole"):
        reassembler.add(parse_apdu(VECTORS["reply_err"].octets), NOW)
    with pytest.raises(SegmentError, match="no APDU"):
        reassembler.add(segment(3, 0, b"abc"), NOW)


def test_what_is_never_completed_expires_or_makes_room() -> None:
    reassembler = Reassembler(open_max=3, seconds_max=30)
    for number in range(5):
        reassembler.add(segment(100, 0, b"x", number), NOW + timedelta(seconds=number))
    assert (len(reassembler), reassembler.evicted, reassembler.expired) == (3, 2, 0)
    reassembler.add(segment(100, 0, b"x", 9), NOW + timedelta(seconds=33.5))
    assert (len(reassembler), reassembler.evicted, reassembler.expired) == (2, 2, 2)
    reassembler.add(segment(100, 0, b"x", 10), NOW + timedelta(days=1))
    assert (len(reassembler), reassembler.expired) == (1, 4)


def test_segments_that_leave_no_room_are_refused() -> None:
    whole = VECTORS["segmented_full_message"].octets
    with pytest.raises(SegmentError, match="no room"):
        split(whole, 36)
    assert len(split(whole, 40)) > 40
    assert split(whole, 317) == [whole]
    with pytest.raises(WireError):
        split(b"nonsense", 5)
    with pytest.raises(WireError):
        split(SEGMENTS[0].octets[:-1], 50)


def message(near: ApTitle, far: ApTitle, number: int, reply_to: int | None = None) -> bytes:
    return Association(near, far, SecurityMode.CLEAR).encode([b"\x00"], number, 0, reply_to=reply_to)


def test_invocation_ids_come_round() -> None:
    assert next_invocation_id(1) == 2
    assert next_invocation_id(32_767) == 1
    assert next_invocation_id(32_760, 10) == 3


def test_a_repeated_request_gets_the_same_reply_and_a_new_one_does_not() -> None:
    responder = Responder(remembered_max=2)
    octets = message(HEAD_END, METER, 7)
    request = parse_apdu(octets)
    assert responder.recall(request, octets) is None
    responder.remember(request, octets, (b"reply", b"in two"))
    assert responder.recall(request, octets) == (b"reply", b"in two")
    same_id = Association(HEAD_END, METER, SecurityMode.CLEAR).encode([b"\x20"], 7, 0)
    assert responder.recall(parse_apdu(same_id), same_id) is None
    responder.remember(parse_apdu(same_id), same_id, ())
    assert responder.recall(parse_apdu(same_id), same_id) == ()
    assert len(responder) == 1
    for number in (8, 9):
        other = message(HEAD_END, METER, number)
        responder.remember(parse_apdu(other), other, (b"",))
    assert len(responder) == 2
    assert responder.recall(parse_apdu(same_id), same_id) is None
    assert responder.repeated == 2


def test_a_message_is_accepted_once_and_the_window_survives() -> None:
    window = ReplayWindow()
    window.accept(SECONDS, 5, NOW)
    again = ReplayWindow(window.packed)
    assert len(again.packed) == 6
    with pytest.raises(ReplayError, match="repeated"):
        again.accept(SECONDS, 5, NOW)
    again.accept(SECONDS, 4, NOW)  # late, but within the window
    again.accept(SECONDS - 800, 9, NOW)
    with pytest.raises(ReplayError, match="repeated"):
        again.accept(SECONDS - 800, 9, NOW)


def test_a_full_window_refuses_what_is_older_than_all_it_holds() -> None:
    window = ReplayWindow()
    for number in range(REPLAY_ENTRIES + 1):
        window.accept(SECONDS, 100 + number, NOW)
    assert len(window.packed) == 6 * REPLAY_ENTRIES
    with pytest.raises(ReplayError, match="older"):
        window.accept(SECONDS, 100, NOW)
    with pytest.raises(ReplayError, match="older"):
        window.accept(SECONDS - 1, 200, NOW)
    window.accept(SECONDS + 1, 1, NOW)
    assert len(window.packed) == 6 * REPLAY_ENTRIES


FAR_OFF = [REPLAY_SECONDS + 100, -REPLAY_SECONDS - 100, -SECONDS, 2**31]


@pytest.mark.parametrize("off", FAR_OFF)
def test_a_clock_far_off_is_refused_where_only_fresh_messages_are_good(off: int) -> None:
    window = ReplayWindow()
    with pytest.raises(ReplayError, match="900 s from the clock"):
        window.accept(SECONDS + off, 5, NOW)


@pytest.mark.parametrize("off", FAR_OFF)
def test_a_clock_far_off_makes_a_message_that_is_newer_than_all_doubtful_and_it_is_accepted_once(off: int) -> None:
    window = ReplayWindow()
    assert window.judge(SECONDS + off, 5, NOW) is Freshness.DOUBTFUL
    assert window.judge(SECONDS + off + 10, 6, NOW) is Freshness.DOUBTFUL
    again = ReplayWindow(window.packed)
    for seconds, number in ((0, 5), (10, 6), (5, 6)):
        with pytest.raises(ReplayError, match="doubtful"):
            again.judge(SECONDS + off + seconds, number, NOW)
    assert again.judge(SECONDS + off + 20, 5, NOW) is Freshness.UNTIMELY  # a number of the past
    assert again.judge(SECONDS + off + 10, 7, NOW) is Freshness.UNTIMELY  # a second of the past
    assert again.packed == window.packed


def test_a_clock_that_was_set_back_makes_untimely_what_may_be_played_again() -> None:
    window = ReplayWindow()
    assert window.judge(SECONDS - 2_000, 4, NOW - timedelta(seconds=2_000)) is Freshness.FRESH
    assert window.judge(SECONDS - 2_000, 4, NOW) is Freshness.UNTIMELY
    assert window.judge(SECONDS - 2_001, 5, NOW) is Freshness.UNTIMELY
    assert window.judge(SECONDS - 1_999, 5, NOW) is Freshness.DOUBTFUL
    assert window.judge(SECONDS, 6, NOW) is Freshness.FRESH


def test_doubtful_messages_stay_refused_when_their_time_comes_and_others_are_not() -> None:
    window = ReplayWindow()
    ahead = 86_400
    for number in (10, 11, 12):
        assert window.judge(SECONDS + ahead + number, number, NOW) is Freshness.DOUBTFUL
    assert window.judge(SECONDS + 30, 13, NOW) is Freshness.FRESH  # its clock is right again
    later = NOW + timedelta(seconds=ahead)
    for number in (10, 11, 12):
        with pytest.raises(ReplayError, match="doubtful"):
            window.judge(SECONDS + ahead + number, number, later)
    assert window.judge(SECONDS + ahead + 11, 30, later) is Freshness.FRESH
    assert window.judge(SECONDS + ahead + 3_000, 31, later + timedelta(seconds=3_000)) is Freshness.FRESH
    assert len(window.packed) == 3 * 6  # what was doubtful is past, and forgotten
    for number in (10, 11, 12):
        assert window.judge(SECONDS + ahead + number, number, later + timedelta(seconds=3_000)) is Freshness.UNTIMELY


@pytest.mark.parametrize("octets", [b"x", bytes(5), bytes(6 * REPLAY_ENTRIES + 6), b"\1" + bytes(6), b"\2" + bytes(12)])
def test_octets_that_are_no_window_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="no replay window"):
        ReplayWindow(octets)


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 40)), max_size=60))
def test_nothing_is_ever_accepted_twice(messages: list[tuple[int, int]]) -> None:
    window, accepted = ReplayWindow(), set[tuple[int, int]]()
    for seconds, number in messages:
        try:
            window.accept(SECONDS + seconds, number, NOW)
        except ReplayError:
            continue
        assert (seconds, number) not in accepted
        accepted.add((seconds, number))
        window = ReplayWindow(window.packed)
    if len(set(messages)) <= REPLAY_ENTRIES:
        assert accepted == set(messages)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-5, 5), st.integers(0, 60)), max_size=80))
def test_nothing_is_ever_taken_twice_whatever_clocks_do(messages: list[tuple[int, int, int]]) -> None:
    """Time goes on by steps of ten minutes; messages are dated so many steps off, and any of them comes again at any time."""
    window, taken, now = ReplayWindow(), set[tuple[int, int]](), NOW
    sent: list[tuple[int, int]] = []
    for steps, off, again in messages:
        now += timedelta(minutes=10 * steps)
        fresh = int(now.timestamp()) + 600 * off, len(sent) + 1
        iv, number = sent[again] if again < len(sent) else fresh
        sent.append((iv, number) if again < len(sent) else fresh)
        try:
            freshness = window.judge(iv, number, now)
        except ReplayError:
            continue
        if freshness is not Freshness.UNTIMELY:
            assert (iv, number) not in taken
            taken.add((iv, number))
        window = ReplayWindow(window.packed)


def test_wrong_codes_throttle_their_peer_for_as_long_as_they_come() -> None:
    failures = MacFailures()
    cipher = Cipher(bytes(16))
    forged = parse_apdu(VECTORS["full_read_st64_request_enc"].octets)
    for _ in range(MAC_FAILURE_BURST):
        assert not failures.is_throttled(b"meter", NOW)
        with pytest.raises(MacError):
            Association(forged.called, forged.calling, SecurityMode.ENCRYPTED, 2, cipher).open(forged)
        failures.record(b"meter", NOW)
    assert failures.is_throttled(b"meter", NOW)
    assert not failures.is_throttled(b"another", NOW)
    assert (failures.failures, failures.throttled) == (MAC_FAILURE_BURST, 1)
    assert failures.is_throttled(b"meter", NOW + timedelta(seconds=9.9))
    assert not failures.is_throttled(b"meter", NOW + timedelta(seconds=10))
    failures.record(b"meter", NOW + timedelta(seconds=10))
    assert failures.is_throttled(b"meter", NOW + timedelta(seconds=11))
    assert not failures.is_throttled(b"meter", NOW + timedelta(hours=1))
    assert len(failures) == 0


def test_peers_counted_have_a_bound() -> None:
    failures = MacFailures(burst=1, peers_max=2)
    for peer in (b"1", b"2", b"1", b"3"):
        failures.record(peer, NOW)
    assert len(failures) == 2
    assert [failures.is_throttled(peer, NOW) for peer in (b"1", b"2", b"3")] == [True, False, True]


def test_a_cipher_refuses_what_eax_prime_cannot_protect() -> None:
    cipher = Cipher(bytes(16))
    for length in (0, 1, 15, 16):
        for mode in (SecurityMode.AUTHENTICATED, SecurityMode.ENCRYPTED):
            with pytest.raises(SecurityError, match="unsafe"):
                cipher.seal(mode, bytes(length), b"read")
            with pytest.raises(SecurityError, match="unsafe"):
                cipher.open(mode, bytes(length), b"read", bytes(4))
    with pytest.raises(SecurityError, match="mode 0"):
        cipher.seal(SecurityMode.CLEAR, bytes(17), b"read")
    for octets in (b"", bytes(15), bytes(24)):
        with pytest.raises(SecurityError, match="16 octets"):
            Cipher(octets)


@given(st.binary(min_size=17, max_size=90), st.binary(max_size=400), st.sampled_from([SecurityMode.AUTHENTICATED, SecurityMode.ENCRYPTED]))
def test_sealed_octets_open_under_their_key_alone(n: bytes, plaintext: bytes, mode: SecurityMode) -> None:
    cipher, other = Cipher(bytes(range(16))), Cipher(bytes(16))
    ciphertext, mac = cipher.seal(mode, n, plaintext)
    assert len(ciphertext) == len(plaintext)
    assert cipher.open(mode, n, ciphertext, mac) == plaintext
    with pytest.raises(MacError):
        other.open(mode, n, ciphertext, mac)
    with pytest.raises(MacError):
        cipher.open(mode, n[::-1] + b"!", ciphertext, mac)


def test_a_flood_of_segments_costs_no_more_than_their_octets() -> None:
    """One-octet slices, in random order: the work is in the number of segments, not its square."""
    offsets = list(range(2_000))
    random.Random(3).shuffle(offsets)
    whole = b"\x60" + bytes(1_999)
    template = segment(2_000, 0, b"?")
    reassembler = Reassembler()
    results = [reassembler.add(template._replace(segment=SegmentPlace(2_000, at), payload=whole[at : at + 1]), NOW) for at in offsets]
    assert [r for r in results if r] == [whole]
