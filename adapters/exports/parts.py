"""A set of files as parts: meters go into the present one until it is full, then into the next. On pool threads."""

from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.delivery.spool import FileInTheMaking
from adapters.exports.document import DocumentWriter
from headend.model.export import MeterData, Part, PartCounts
from headend.model.selections import Period

PartName = Callable[[int], str]
"""The name of a part by its number, counted from 1."""


class PartsWriter:
    """The parts of one set. There is always one, if only to say that there are no meters. Raises SpoolError."""

    def __init__(self, directory: Path, name: PartName, kind: str, document: Callable[[], DocumentWriter], meters_max: int) -> None:
        self._directory = directory
        self._name = name
        self._kind = kind
        self._new_document = document
        self._meters_max = meters_max
        self._finished: list[Part] = []
        self._file: FileInTheMaking | None = None
        self._document = document()
        self._counts = PartCounts()

    def add(self, data: Sequence[MeterData], period: Period) -> None:
        """Meters with what they have of a period."""
        rest = list(data)
        while rest:
            room = self._meters_max - self._counts.meters if self._file is not None else self._meters_max
            if room <= 0:
                self._finish()
                continue
            file = self._open()
            taken, rest = rest[:room], rest[room:]
            file.write(self._document.meters(taken, period))
            self._counts += counts_of(taken)

    def finish(self) -> list[Part]:
        """All parts, whole."""
        if self._file is not None or not self._finished:
            self._open()
            self._finish()
        return self._finished

    def abandon(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            self._file.__exit__(None, None, None)
        for part in self._finished:
            part.file.path.unlink(missing_ok=True)

    def _open(self) -> FileInTheMaking:
        if self._file is None:
            self._document = self._new_document()
            self._file = FileInTheMaking(self._directory, self._name(len(self._finished) + 1))
            self._file.write(self._document.head())
        return self._file

    def _finish(self) -> None:
        file = self._open()
        file.write(self._document.tail())
        self._finished.append(Part(file.finish(), self._kind, self._counts))
        self._file, self._counts = None, PartCounts()


def counts_of(data: Sequence[MeterData]) -> PartCounts:
    """What some meters have."""
    registers = intervals = missing = 0
    for _, reads, days in data:
        registers += len(reads)
        for day in days:
            gaps = 0 if day.whole else day.values.count(None)
            missing += gaps
            intervals += len(day.values) - gaps
    return PartCounts(len(data), registers, intervals, missing)
