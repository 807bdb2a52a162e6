"""The manifest of a run (`wsdl/exports/manifest.xsd`): which files belong to it, what is in them, their octets and hashes. Written last."""

from collections.abc import Sequence
from pathlib import Path

from adapters.delivery.spool import FileInTheMaking
from adapters.exports.texts import escape
from headend.model.delivery import FinishedFile
from headend.model.export import ExportRun, Part
from headend.model.utility import Utility

NAMESPACE = "urn:open-ami-headend:manifest:1"


def write_manifest(directory: Path, name: str, utility: Utility, run: ExportRun, parts: Sequence[Part]) -> FinishedFile:
    """Write it. Raises SpoolError."""
    octets = sum(part.file.size for part in parts)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<Manifest xmlns="{NAMESPACE}" version="1" utility="{utility.utility_id}" export="{escape(run.schedule)}"',
        f' localDate="{run.day}" timeZone="{utility.time_zone.key}" run="{run.number}" files="{len(parts)}" octets="{octets}">\n',
    ]
    for part in parts:
        counts = part.counts
        said = f'meters="{counts.meters}" registers="{counts.registers}" intervals="{counts.intervals}" missing="{counts.missing}"'
        file = f'name="{escape(part.file.name)}" kind="{escape(part.kind)}" octets="{part.file.size}" sha256="{part.file.sha256.hex()}"'
        lines.append(f"<File {file} {said}/>\n")
    lines.append("</Manifest>\n")
    with FileInTheMaking(directory, name) as made:
        made.write("".join(lines).encode())
        return made.finish()
