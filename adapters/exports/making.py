"""The FileMaker of exports: a directory for each run below the spool, everything on pool threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.delivery.spool import remove_files
from adapters.delivery.threads import OnThread
from adapters.exports.cim_xml import CimXml
from adapters.exports.cmep import Cmep
from adapters.exports.document import DocumentWriter, PartHead
from adapters.exports.manifest import write_manifest
from adapters.exports.meter_data_xml import MeterDataXml
from adapters.exports.parts import PartsWriter
from headend.exports import batch_name, part_name, wanted_of
from headend.model.delivery import FinishedFile
from headend.model.export import ExportFormat, ExportRun, ExportSchedule, FileSet, MeterData, Part, Wanted
from headend.model.selections import Period
from headend.model.utility import Utility

WRITERS: dict[ExportFormat, Callable[[PartHead, Wanted], DocumentWriter]] = {
    ExportFormat.HEADEND: MeterDataXml,
    ExportFormat.CIM: CimXml,
    ExportFormat.CMEP: Cmep,
}


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """Makes the files of one utility."""

    utility: Utility
    spool: Path
    on_thread: OnThread

    def parts(self, schedule: ExportSchedule, run: ExportRun, files: FileSet, period: Period) -> "ThreadedParts":
        """See FileMaker."""
        reported = run.as_of if files.corrections else None
        head, wanted = PartHead(self.utility, files, run.day, period, reported), wanted_of(files)
        writer = WRITERS[schedule.format]

        def name(number: int) -> str:
            return part_name(self.utility, schedule, run, files, number)

        directory, most = self._directory(schedule, run), schedule.meters_per_file
        return ThreadedParts(PartsWriter(directory, name, files.kind, lambda: writer(head, wanted), most), self.on_thread)

    async def manifest(self, schedule: ExportSchedule, run: ExportRun, parts: Sequence[Part]) -> FinishedFile:
        """See FileMaker."""
        name = f"{batch_name(self.utility, schedule, run)}_manifest.xml"
        file: FinishedFile = await self.on_thread(write_manifest, self._directory(schedule, run), name, self.utility, run, list(parts))
        return file

    async def discard(self, parts: Sequence[Part]) -> None:
        """See FileMaker."""
        await self.on_thread(remove_files, [part.file.path for part in parts])

    def _directory(self, schedule: ExportSchedule, run: ExportRun) -> Path:
        return self.spool / batch_name(self.utility, schedule, run)


@dataclass(frozen=True, slots=True)
class ThreadedParts:
    """A PartsMaker."""

    writer: PartsWriter
    on_thread: OnThread

    async def add(self, data: Sequence[MeterData], period: Period) -> None:
        """See PartsMaker."""
        await self.on_thread(self.writer.add, data, period)

    async def finish(self) -> list[Part]:
        """See PartsMaker."""
        parts: list[Part] = await self.on_thread(self.writer.finish)
        return parts

    async def abandon(self) -> None:
        """See PartsMaker."""
        await self.on_thread(self.writer.abandon)
