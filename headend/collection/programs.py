"""Meter programs known to this process, one value for all endpoints programmed alike."""

from collections import OrderedDict
from collections.abc import Mapping

from headend.c1219.program import MeterProgram

PROGRAMS_MAX = 4_096
"""Programs kept decoded: a utility has a few dozen; the one unused longest is forgotten, and read from the store again."""


class ProgramCache:
    """Decoded programs by fingerprint."""

    def __init__(self, programs_max: int = PROGRAMS_MAX) -> None:
        self._programs: OrderedDict[bytes, MeterProgram] = OrderedDict()
        self._programs_max = programs_max

    def __len__(self) -> int:
        return len(self._programs)

    def get(self, fingerprint: bytes | None) -> MeterProgram | None:
        """The program with this fingerprint, if it is here."""
        return None if fingerprint is None else self._programs.get(fingerprint)

    def decode(self, tables: Mapping[int, bytes]) -> MeterProgram:
        """The program these tables make; the one that is here already, where there is one. Raises WireError."""
        program = MeterProgram.decode(tables)
        known = self._programs.get(program.fingerprint)
        if known is not None:
            self._programs.move_to_end(program.fingerprint)
            return known
        self._programs[program.fingerprint] = program
        if len(self._programs) > self._programs_max:
            self._programs.popitem(last=False)
        return program
