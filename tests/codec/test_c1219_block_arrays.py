"""Blocks decoded many at once are what they are one by one: same values, flags, stamps, in every layout of plain integers."""

from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.block_arrays import decode_blocks
from headend.c1219.fields import Formats
from headend.c1219.profile_blocks import END_PULSES, END_READINGS, EXTENDED_STATUS, SIMPLE_STATUS, BlockLayout, BlockShape, block_layout
from headend.errors import WireError

FORMATS = st.builds(
    Formats,
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from((4, 8, 11)),
    st.just(8),
)
SHAPES = st.builds(
    BlockShape,
    st.integers(1, 40),
    st.integers(1, 9),
    st.sampled_from((1, 2, 4, 8, 16, 32, 64)),
    st.sets(st.sampled_from((END_READINGS, END_PULSES, EXTENDED_STATUS, SIMPLE_STATUS))).map(sum),
)
LAYOUTS = st.builds(block_layout, st.just(64), FORMATS, SHAPES).filter(lambda layout: layout.number.read is None)


def random_block(layout: BlockLayout, valid: int, data: st.DataObject) -> bytes:
    """Any octets, quiet ones often: no status, a right end, all intervals valid."""
    octets = bytearray(data.draw(st.randoms(use_true_random=False)).randbytes(layout.header_size + valid * layout.row_size))
    if data.draw(st.booleans()):
        octets[: layout.formats.time.stime_size] = layout.formats.time.pack_stime(1_753_056_000)
    if layout.simple and data.draw(st.booleans()):
        octets[layout.header_size - layout.simple : layout.header_size] = b"\xff" * layout.simple
    if data.draw(st.booleans()):
        for at in range(layout.status_size):
            octets[layout.header_size + at :: layout.row_size] = bytes(valid)
    return bytes(octets)


@given(st.data(), LAYOUTS, st.booleans())
def test_many_blocks_decode_as_each_of_them(data: st.DataObject, layout: BlockLayout, descending: bool) -> None:
    valid = data.draw(st.integers(1, layout.intervals))
    given_octets = [random_block(layout, valid, data) for _ in range(data.draw(st.integers(1, 5)))]
    blocks = decode_blocks(layout, given_octets, valid, descending=descending)
    for at, octets in enumerate(given_octets):
        try:
            one = layout.decode(octets, valid, descending)
        except WireError:
            continue  # the end is none: for the caller to see by the stamp
        assert [tuple(column) for column in blocks.values[at].tolist()] == [tuple(column) for column in one.values]
        flags = [[0] * valid] * layout.channels if blocks.flags is None else blocks.flags[at].tolist()
        assert [tuple(column) for column in flags] == [tuple(column) for column in one.flags]
        assert (None if blocks.dst is None else blocks.dst[at]) is one.dst
        assert layout.formats.time.read_stime(blocks.stamps[at]) == one.end
