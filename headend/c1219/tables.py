"""Table and procedure numbers, how they are written in words, and the errors that name a table."""

from headend.errors import TruncatedError, WireError

MANUFACTURER = 0x0800
NUMBER_MASK = 0x07FF
ID_MASK = 0x0FFF

ST_GENERAL_CONFIGURATION = 0
ST_IDENTIFICATION = 1
ST_MODE_STATUS = 3
ST_DEVICE_IDENTIFICATION = 5
ST_PROCEDURE_INITIATE = 7
ST_PROCEDURE_RESPONSE = 8
ST_SOURCE_DIMENSIONS = 11
ST_UNITS = 12
ST_DEMAND_CONTROL = 13
ST_CONSTANTS = 15
ST_SOURCES = 16
ST_REGISTER_DIMENSIONS = 21
ST_REGISTER_SELECTION = 22
ST_CURRENT_REGISTERS = 23
ST_PREVIOUS_SEASON = 24
ST_PREVIOUS_RESET = 25
ST_SELF_READS = 26
ST_CLOCK = 52
ST_CLOCK_STATE = 55
ST_PROFILE_DIMENSIONS = 61
ST_PROFILE_CONTROL = 62
ST_PROFILE_STATUS = 63
ST_PROFILE_SET_1 = 64
ST_PROFILE_SET_4 = 67
ST_LOG_DIMENSIONS = 71
ST_EVENTS_IDENTIFIED = 72
ST_HISTORY_LOG = 74
ST_EVENT_LOG_CONTROL = 75
ST_EVENT_LOG = 76
MT_SWITCH_STATE = MANUFACTURER | 1
MT_PROFILE_MEANING = MANUFACTURER | 2
MT_WAKE_UPS = MANUFACTURER | 3


def table_name(table: int) -> str:
    """`ST64`, `MT2`."""
    return f"{'MT' if table & MANUFACTURER else 'ST'}{table & NUMBER_MASK}"


class TableError(WireError):
    """A table whose octets contradict the standard, the meter's other tables, or themselves."""

    def __init__(self, table: int, reason: str) -> None:
        self.table = table
        self.reason = reason
        super().__init__(f"{table_name(table)}: {reason}")


class TruncatedTableError(TruncatedError):
    """A table that ends before a field does; `offset` counts from the first octet given."""

    def __init__(self, table: int, offset: int, wanted: int, had: int) -> None:
        super().__init__(offset, wanted, had)
        self.table = table

    def __str__(self) -> str:
        return f"{table_name(self.table)}: {super().__str__()}"
