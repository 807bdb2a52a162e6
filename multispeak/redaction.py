"""Envelopes without secrets: passwords and UsernameTokens taken out of text, well-formed or not, whatever the namespaces.

Works on text and not on a tree, because what could not be parsed is what someone will want to see. One pass: whatever is found is left
behind, so that no input costs the square of its length. Pure.
"""

import re
from collections.abc import Iterable
from html import escape

from multispeak.envelope import ENCODINGS, declared_encoding

MARK = "…"
SECRET_CHARACTERS_MIN = 6
"""A shorter secret is not looked for by itself: it would be found in every second word. It goes where its name tells."""

_KEYWORD = re.compile(r"pwd|passw(?:or)?d|passphrase|usernametoken")
_FIRST_LETTERS = ("pwd", "passw", "passphrase", "usernametoken")
"""What all keywords begin with: text without any of these, as most answers are, is not searched further."""
_ASCII_SMALL = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_REST_OF_NAME = re.compile(r"[\w.\-]{0,100}")
_EQUALS = re.compile(r"\s{0,100}=\s{0,100}")
_UNQUOTED = re.compile(r"[^\s<>]*")
_NAME_CHARACTERS_MAX = 100
_BRACKETS = (("<", ">"), ("&lt;", "&gt;"))
"""How tags are written, in a document and in a document inside of a text."""


def redacted_text(octets: bytes, secrets: Iterable[str] = ()) -> str:
    """An envelope, or its head, as text without secrets; `secrets` are further ones that were presented with it, wherever they stand."""
    encoding = declared_encoding(octets)
    if encoding and encoding not in ENCODINGS:
        return f"(not kept: encoding {encoding})"
    return redacted(_decoded(octets), secrets)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Text without the values of what is called a password, and without these secrets."""
    text = _without_named(text)
    for secret in secrets:
        if len(secret) >= SECRET_CHARACTERS_MIN:
            for written in {secret, escape(secret, quote=False), escape(secret)}:
                text = text.replace(written, MARK)
    return text


def _decoded(octets: bytes) -> str:
    if octets[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return octets.decode("utf-16", "replace")
    if b"\0" in octets[:4]:
        return octets.decode("utf-16-be" if octets[:1] == b"\0" else "utf-16-le", "replace")
    return octets.decode("utf-8", "replace")


def _without_named(text: str) -> str:
    small = _in_small_letters(text)
    if not any(letters in small for letters in _FIRST_LETTERS):
        return text
    kept: list[str] = []
    taken = begin = 0
    while found := _KEYWORD.search(small, begin):
        name_end = _end(_REST_OF_NAME, text, found.end())
        secret = _element(text, found.start(), name_end) or _attribute(text, name_end)
        begin = name_end
        if secret is not None:
            start, end, mark = secret
            kept += (text[taken:start], mark)
            taken = begin = end
    return "".join((*kept, text[taken:]))


def _in_small_letters(text: str) -> str:
    """Letter by letter at the same places; there is a letter whose small one is two."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_ASCII_SMALL)


def _element(text: str, keyword: int, name_end: int) -> tuple[int, int, str] | None:
    """From where to where an element is secret whose name holds the keyword, and what stands for that; None where it is no element.

    Attributes of its start tag go with the content.
    """
    start = keyword
    while start and keyword - start < _NAME_CHARACTERS_MAX and (text[start - 1].isalnum() or text[start - 1] in "_.-:"):
        start -= 1
    for opening, closing in _BRACKETS:
        if not text.endswith(opening, 0, start):
            continue
        tag_end = text.find(closing, name_end)
        if tag_end < 0:
            return name_end, len(text), closing + MARK
        if text[tag_end - 1] == "/":
            return None
        end_tag = re.compile(f"{opening}/{re.escape(text[start:name_end])}", re.IGNORECASE).search(text, tag_end)
        return name_end, end_tag.start() if end_tag else len(text), closing + MARK
    return None


def _attribute(text: str, name_end: int) -> tuple[int, int, str] | None:
    """The same for the value of an attribute, without its quotes; None where nothing is said to be equal to anything."""
    equals = _EQUALS.match(text, name_end)
    if equals is None:
        return None
    start = equals.end()
    quote = text[start : start + 1]
    if quote not in {'"', "'"}:
        return start, _end(_UNQUOTED, text, start), MARK
    end = text.find(quote, start + 1)
    return start + 1, end if end >= 0 else len(text), MARK


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None, "it matches nothing, too"
    return found.end()
