"""A reply to several reads whose answers have known lengths, taken apart in one step.

Means the same as `split_services` and `decode_table_data` of each body, where every response is *ok* and holds as many octets as are due;
any other reply is left to them.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

from headend.c1222.ber import length_octets
from headend.c1222.limits import SERVICES_MAX
from headend.c1222.table_data import CONTINUED, octet_sum

FORMS_MAX = 1_024
"""Forms of replies kept compiled: like meters that are asked at one time answer in one form."""

_OK = b"\x00"


class ReplyForm:
    """Answers of `lengths` octets each.

    Layout  BER length | 00 | count: uint16 | octets: count | checksum: uint8, two's complement of their sum; for each answer
    """

    __slots__ = ("_heads", "_layout")

    def __init__(self, lengths: Sequence[int]) -> None:
        heads = [length_octets(len(_OK) + 3 + length) + _OK + length.to_bytes(2) for length in lengths]
        self._heads = tuple(heads)
        self._layout = Struct(">" + "".join([f"{len(head)}s{length}sB" for head, length in zip(heads, lengths, strict=True)]))

    def answers(self, payload: bytes) -> tuple[bytes, ...] | None:
        """The octets of each answer; None for a reply of another form, or with a wrong checksum."""
        if len(payload) != self._layout.size:
            return None
        fields = self._layout.unpack(payload)
        answers = fields[1::3]
        checked = [(octet_sum(octets) + check) & 0xFF for octets, check in zip(answers, fields[2::3], strict=True)]
        return None if fields[::3] != self._heads or any(checked) else answers


@lru_cache(maxsize=FORMS_MAX)
def reply_form(lengths: tuple[int, ...]) -> ReplyForm | None:
    """The shared form of replies with answers of these lengths; None where one message does not hold them."""
    if len(lengths) > SERVICES_MAX or any(length >= CONTINUED for length in lengths):
        return None
    return ReplyForm(lengths)
