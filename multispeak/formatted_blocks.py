"""Rows of meters → formattedBlocks: in one as many as have its columns, up to a bound; all rows of a meter are in one block.

Where a meter identifier has the separator in it, the block takes another one.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from headend.model.endpoint import Commodity
from headend.reading_engine import MeterValues
from multispeak.block_layouts import Channels, Layout, Template, cell_columns, default_layout, layout_of
from multispeak.block_rows import Cells, RowMaker, Rows
from multispeak.calls import Call
from multispeak.limits import BLOCK_ROWS_MAX
from multispeak.read_selection import Between, Selection
from multispeak.records import Records

SEPARATORS = (",", ";", "|", "\t")
_CONTENT = {"3.0": "meterRead", "4.1.6": "meterReading"}


class BlockShape:
    """Makes formattedBlock records of one version."""

    def __init__(self, records: Records, version: str) -> None:
        self._block = records["formattedBlock"]
        self._item = records["syntaxItem"]
        self._syntax = records["valSyntax" if version == "3.0" else "ArrayOfSyntaxItem"]
        self._values = records["valueList" if version == "3.0" else "ArrayOfString.val"]
        self._content = _CONTENT[version]

    def block(self, columns: Iterable[tuple[str, str | None]], vals: Sequence[str] | None, separator: str, comment: str) -> Any:
        """One formattedBlock; without rows it is a template's."""
        items = [self._item(fieldName=name, position=position, uom=uom) for position, (name, uom) in enumerate(columns)]
        return self._block(
            separator=separator,
            contentNounType=self._content,
            comment=comment or None,
            valSyntax=self._syntax(syntaxItem=items),
            valueList=None if vals is None else self._values(val=list(vals)),
        )


class _OpenBlock:
    """The block that rows go into: what its columns hold, and how many meters in it lack something."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.channels: Channels | None = None
        self.rows: list[Cells] = []
        self.meters = self.failed = 0

    def takes(self, rows: Rows) -> bool:
        """Whether its columns hold what these rows hold."""
        return rows.channels is None or self.channels in {None, rows.channels}

    def add(self, rows: Rows) -> None:
        """All rows of a meter."""
        self.channels = self.channels or rows.channels
        self.rows += rows.cells
        self.meters += 1
        self.failed += rows.failed

    def separator(self) -> str:
        """The first that the identifiers have not got; a reason in words gives way."""
        names = "".join([cells[0] + cells[1] for cells in self.rows])
        return next((one for one in SEPARATORS if one not in names), SEPARATORS[-1])


class BlockWriter:
    """Takes what meters read, gives blocks as they fill; `commodities` are those of all meters that come."""

    def __init__(self, call: Call, selection: Selection, commodities: Collection[Commodity]) -> None:
        self._call = call
        self._selection = selection
        self._shape = BlockShape(call.records, call.version)
        self._commodities = commodities or selection.wanted.commodities
        self._makers: dict[Commodity | None, tuple[Layout, RowMaker]] = {}
        self._open: _OpenBlock | None = None

    def add(self, values: MeterValues) -> list[Any]:
        """Take a meter; the block that was full before it, where one was."""
        layout, maker = self._maker(None if values.meter is None else values.meter.commodity)
        rows = maker.rows(values)
        block, full = self._open, []
        if block is None or block.layout != layout or not block.takes(rows) or len(block.rows) >= BLOCK_ROWS_MAX:
            full = self.rest()
            block = self._open = _OpenBlock(layout)
        block.add(rows)
        return full

    def add_to_one(self, values: MeterValues) -> None:
        """Take a meter into the block of all; one whose values have another unit than its column is told without them."""
        layout, maker = self._maker(None)
        rows = maker.rows(values)
        if self._open is None:
            self._open = _OpenBlock(layout)
        if not self._open.takes(rows):
            rows = maker.failure(values, "its values have another unit than this block; ask for the meter alone")
        self._open.add(rows)

    def one(self) -> Any:
        """The block of all."""
        if self._open is None:
            self._open = _OpenBlock(self._maker(None)[0])
        return self.rest()[0]

    def rest(self) -> list[Any]:
        """The block that is open still, where one is."""
        block, self._open = self._open, None
        if block is None:
            return []
        columns = cell_columns(block.layout.columns, block.channels or (), self._call.partner.energy_unit)
        separator = block.separator()
        vals = [separator.join([*cells[:-1], cells[-1].replace(separator, " ")]) for cells in block.rows]
        remarks = list(self._selection.remarks)
        if block.failed:
            remarks.append(f"{block.failed} of {block.meters} meters lack a value; errorString says why")
        return [self._shape.block(columns, vals, separator, "; ".join(remarks))]

    def _maker(self, commodity: Commodity | None) -> tuple[Layout, RowMaker]:
        found = self._makers.get(commodity)
        if found is None:
            # A block of all meters, and a name that no meter has, has columns for whatever may come.
            layout = _layout(self._selection, self._commodities if commodity is None else (commodity,))
            partner = self._call.partner
            found = self._makers[commodity] = (layout, RowMaker(layout, self._call.utility, partner.energy_unit, partner.identifier))
        return found


async def formatted_blocks(
    writer: BlockWriter, values: AsyncGenerator[list[MeterValues], None]
) -> AsyncGenerator[Sequence[Any], None]:
    """Blocks of a list, as they fill."""
    async with aclosing(values):
        async for batch in values:
            if blocks := [block for one in batch for block in writer.add(one)]:
                yield blocks
    if blocks := writer.rest():
        yield blocks


def template_block(shape: BlockShape, template: Template, call: Call) -> Any:
    """The formattedBlock of a template: its columns, no rows."""
    return shape.block(cell_columns(template.layout.columns, (), call.partner.energy_unit), None, SEPARATORS[0], "")


def _layout(selection: Selection, commodities: Iterable[Commodity]) -> Layout:
    if selection.template is not None and not selection.fields:
        return selection.template.layout
    by_instant = isinstance(selection.when, Between)
    if selection.fields or (selection.peak and not selection.wanted.registers):
        return layout_of(selection.fields, by_instant=by_instant, peak=selection.peak)
    return default_layout(commodities, selection.use, by_instant=by_instant, peak=selection.peak)
