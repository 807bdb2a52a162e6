"""Meter programs that another process, or this one before it was started again, has decoded: read from the store when they are wanted."""

from twisted.logger import Logger

from headend.c1219.program import MeterProgram
from headend.collection.programs import ProgramCache
from headend.errors import WireError
from headend.ports import CollectionStore

_log = Logger()


async def known_program(programs: ProgramCache, store: CollectionStore, fingerprint: bytes | None) -> MeterProgram | None:
    """The program with this fingerprint, from the store where it is not here; None where it is nowhere or not readable.

    Raises StoreError.
    """
    program = programs.get(fingerprint)
    if program is not None or fingerprint is None:
        return program
    record = await store.program(fingerprint)
    if record is None:
        return None
    try:
        return programs.decode(dict(record.tables))
    except WireError as error:
        _log.warn("a stored meter program is not readable, it will be read again: {error}", error=error)
        return None
