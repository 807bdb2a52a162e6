"""Secrets never reach the message log: whatever the shape of the envelope, and whatever it costs to look for them stays small."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multispeak.packed_envelopes import laid_out, packed, unpacked
from multispeak.redaction import MARK, redacted, redacted_text

SECRET = "Tr0ub4dor&3"
WRITTEN = "Tr0ub4dor&amp;3"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('<h UserID="cis" Pwd="{}" x="1"/>', '<h UserID="cis" Pwd="…" x="1"/>'),
        ("<h Pwd='{}'/>", "<h Pwd='…'/>"),
        ('<h ms:Pwd = "{}" AuditPassword\n=\n"{}"/>', '<h ms:Pwd = "…" AuditPassword\n=\n"…"/>'),
        ('<h Pwd="{}', '<h Pwd="…'),
        ("<h Pwd={} x='1'/>", "<h Pwd=… x='1'/>"),
        ("<responsePwd>{}</responsePwd><a/>", "<responsePwd>…</responsePwd><a/>"),
        ("<q:responsePwd x='1'>{}</q:responsePwd>", "<q:responsePwd>…</q:responsePwd>"),
        ("<responsePwd>{}", "<responsePwd>…"),
        ("<responsePwd>{}</responsepwd ><a/>", "<responsePwd>…</responsepwd ><a/>"),
        ("<responsePwd><![CDATA[{}]]></responsePwd>", "<responsePwd>…</responsePwd>"),
        ('<Password Type="a>b">{}</Password><a/>', "<Password>…</Password><a/>"),
        ("<w:UsernameToken><w:Username>u</w:Username><p>{}</p></w:UsernameToken><a/>", "<w:UsernameToken>…</w:UsernameToken><a/>"),
        ("<w:UsernameToken><w:Username>u</w:Username><p>{}", "<w:UsernameToken>…"),
        ("<a>&lt;Pwd&gt;{}&lt;/Pwd&gt;</a>", "<a>&lt;Pwd&gt;…&lt;/Pwd&gt;</a>"),
        ("<myPasswordForYou>{}</myPasswordForYou>", "<myPasswordForYou>…</myPasswordForYou>"),
        ('<h PASSWD="{}"/>', '<h PASSWD="…"/>'),
        ("<Pwd", "<Pwd>…"),
        ("<responsePwd/><a>b</a>", "<responsePwd/><a>b</a>"),
        ("<a>our pwd policy</a>", "<a>our pwd policy</a>"),
        ("<a>İ</a><responsePwd>{}</responsePwd>", "<a>İ</a><responsePwd>…</responsePwd>"),
        ("", ""),
    ],
)
def test_what_goes_and_what_stays(text: str, kept: str) -> None:
    assert redacted(text.replace("{}", WRITTEN)) == kept


@pytest.mark.parametrize("text", ["<UserID>{}</UserID>", "<!-- {} -->", '<h Comment="{}"/>', "{}", "{", "<a>{}"])
@pytest.mark.parametrize("written", [SECRET, WRITTEN])
def test_a_secret_that_was_presented_is_found_wherever_it_stands(text: str, written: str) -> None:
    assert written not in redacted(text.replace("{}", written), [SECRET])


def test_a_secret_too_short_to_be_looked_for_harms_no_other_word() -> None:
    assert redacted("<a>banana</a>", ["an", ""]) == "<a>banana</a>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_that_is_taken_is_searched(encoding: str) -> None:
    text = redacted_text(f'<h Pwd="{SECRET}" ü="é"/>'.encode(encoding))
    assert text.removeprefix("\ufeff") == f'<h Pwd="{MARK}" ü="é"/>'


def test_an_encoding_that_is_not_taken_is_not_kept() -> None:
    octets = b'<?xml version="1.0" encoding="utf-7"?>' + f'<h Pwd="{SECRET}"/>'.encode("utf-7")
    assert redacted_text(octets) == "(not kept: encoding utf-7)"


SHAPES = st.sampled_from(
    [
        '<h Pwd="{}"/>',
        "<x:h x:AuditPassword = '{}'>",
        "<responsePwd>{}</responsePwd>",
        "<a:Password Type='t'>{}</a:Password>",
        '<UsernameToken Id="1"><a>{}</a></UsernameToken>',
    ]
)
NOISE = st.text(st.sampled_from("<>/\"'= aPwdx:&;lgt!-[]\n"), max_size=60)


@given(st.lists(st.tuples(NOISE, SHAPES), min_size=1, max_size=4), st.integers(0, 400))
def test_no_noise_around_it_saves_a_secret(parts: list[tuple[str, Any]], cut: int) -> None:
    text = "".join(noise + shape.replace("{}", "hunter2-hunter2") for noise, shape in parts)
    for whole in (text, text[: len(text) - cut % (len(text) + 1)]):
        assert "hunter2-h" not in redacted(whole)


@pytest.mark.parametrize(
    "piece",
    [
        *("<pwd", "pwd ", "pwd=", 'pwd="', "pwd='", "<pwd>", "<pwd/>"),
        *("</pwd>", "&lt;pwd", "<pwd x", "a", "<a:pwd>", "<passwordpassword", "pwd\t"),
    ],
)
def test_no_text_costs_the_square_of_its_length(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    before = time.thread_time()
    redacted(text)
    # A square would take minutes; the bound leaves a slow machine room.
    assert time.thread_time() - before < 2


def test_packing_keeps_texts_apart_whatever_they_hold() -> None:
    text = "<a>ü</a>" * 1_000
    envelopes = [(text, ""), ("", ""), ("not\0XML", "<b/>")]
    pack = packed(envelopes)
    assert [unpacked(pack, place) for place in range(3)] == [(text, ""), ("", ""), ("not\N{REPLACEMENT CHARACTER}XML", "<b/>")]
    assert len(pack) < len(text) / 20


def test_an_envelope_is_laid_out_for_people_and_a_broken_one_is_shown_as_it_is() -> None:
    assert laid_out("<a><b>1</b><c/></a>") == "<a>\n  <b>1</b>\n  <c/>\n</a>\n"
    for text in ("<a><b>", "(not kept)", "", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&y;</a>'):
        assert laid_out(text) == text
