"""A reply to several reads taken apart in one step means what taking it apart service by service means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1222.epsem import join_services, split_services
from headend.c1222.limits import SERVICES_MAX
from headend.c1222.read_reply import ReplyForm, reply_form
from headend.c1222.table_data import decode_table_data, encode_table_data
from headend.errors import WireError

DATA = st.lists(st.binary(max_size=300) | st.binary(min_size=900, max_size=1_100), min_size=1, max_size=12)


def reply(answers: list[bytes]) -> bytes:
    return join_services([b"\x00" + encode_table_data(octets) for octets in answers])


def one_by_one(payload: bytes, lengths: tuple[int, ...]) -> tuple[bytes, ...] | None:
    """The answers, where every response is ok and of its length."""
    try:
        responses = split_services(payload)
        answers = tuple([decode_table_data(response, 1) for response in responses if response[0] == 0])
    except WireError:
        return None
    return answers if tuple(map(len, answers)) == lengths and len(responses) == len(lengths) else None


@given(DATA)
def test_answers_of_the_lengths_due_are_taken(answers: list[bytes]) -> None:
    lengths = tuple(map(len, answers))
    assert ReplyForm(lengths).answers(reply(answers)) == tuple(answers) == one_by_one(reply(answers), lengths)


@given(DATA, st.data())
def test_a_damaged_reply_means_the_same_or_is_left(answers: list[bytes], data: st.DataObject) -> None:
    lengths = tuple(map(len, answers))
    payload = bytearray(reply(answers))
    for _ in range(data.draw(st.integers(1, 2))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.sampled_from((0, 0, 1, 5)))
    damaged = bytes(payload[: len(payload) - cut]) + data.draw(st.sampled_from((b"", b"", b"\0", b"\1\1")))
    taken = ReplyForm(lengths).answers(damaged)
    assert taken is None or taken == one_by_one(damaged, lengths)


@given(DATA, DATA)
def test_answers_of_other_lengths_are_left(answers: list[bytes], others: list[bytes]) -> None:
    lengths = tuple(map(len, others))
    assert ReplyForm(lengths).answers(reply(answers)) == one_by_one(reply(answers), lengths)


@pytest.mark.parametrize("code", [0x01, 0x03, 0x0A, 0x80])
def test_a_refusal_is_left(code: int) -> None:
    good = b"\x00" + encode_table_data(b"abc")
    assert ReplyForm((3, 3)).answers(join_services([good, bytes((code,)) + good[1:]])) is None
    assert ReplyForm((3, 3)).answers(join_services([good, bytes((code,))])) is None


def test_what_one_message_does_not_hold_has_no_form() -> None:
    assert reply_form((1,) * SERVICES_MAX) is not None
    assert reply_form((1,) * (SERVICES_MAX + 1)) is None
    assert reply_form((0xFFFF,)) is None
