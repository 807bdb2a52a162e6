"""The catalogue of events as it comes with the head-end: data, one line a kind. Pure.

Source  numbers of C12.19: `headend.c1219.event_log_tables`, and between those the order of MultiSpeak 3.0's phrases, which is theirs; gas
        and water, from 2048 on: reference/domain-itron-openway.md 5.2; codes of IEC 61968-9: 5.4, none where it shows none; severities: 5.3
"""

from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, CimCode, EventCatalogue, EventKind, OutageMeaning, Severity
from headend.router_catalogue import ROUTER_EVENTS

_E, _G, _W = frozenset({Commodity.ELECTRIC}), frozenset({Commodity.GAS}), frozenset({Commodity.WATER})
_GW, _ANY = _G | _W, _E | _G | _W
_CRITICAL, _MAJOR, _MINOR, _INFO = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR, Severity.INFORMATION
_POWER, _TAMPER, _CLOCK, _BATTERY = Category.POWER, Category.TAMPER, Category.CLOCK, Category.BATTERY
_VOLTAGE, _USAGE = Category.VOLTAGE, Category.USAGE
_HARDWARE, _FLOW, _SWITCH, _METERING = Category.HARDWARE, Category.FLOW, Category.SWITCH, Category.METERING
_ACCESS, _LOG = Category.ACCESS, Category.LOG
_OUT, _BACK = OutageMeaning.OUTAGE, OutageMeaning.RESTORATION

MANUFACTURER = 2048
"""Added to the numbers of events that the standard has not got."""

LOAD_SIDE_VOLTAGE = MANUFACTURER | 1_000
"""Found by the head-end itself, when it is about to connect."""

SWITCH_OPENED, SWITCH_CLOSED, SWITCH_ARMED = MANUFACTURER | 1_001, MANUFACTURER | 1_002, MANUFACTURER | 1_003
"""Found by the head-end itself: a switch stands otherwise than it was known to."""

MOMENTARIES = MANUFACTURER | 1_010
"""Found by the head-end itself: the supply was interrupted for moments, so often within a day as its argument says."""

USAGE_SEEN, THRESHOLD_REACHED = MANUFACTURER | 1_020, MANUFACTURER | 1_021
"""Found by the head-end itself at meters that partners have watched: something was used, a register reached a value."""

_METER_KINDS = (
    EventKind(1, "primary power down", _E, _CRITICAL, _POWER, CimCode(26, 0, 47), "Primary power down", _OUT),
    EventKind(2, "primary power up", _E, _INFO, _POWER, CimCode(26, 0, 216), "Primary power up", _BACK, clears=1),
    EventKind(3, "time changed, old time", _ANY, _MINOR, _CLOCK, None, "Time changed, old time"),
    EventKind(4, "time changed, new time", _ANY, _MINOR, _CLOCK, None, "Time changed, new time"),
    EventKind(5, "time changed, old time as argument", _ANY, _MINOR, _CLOCK, None, "Time changed, old time as argument"),
    EventKind(6, "time changed, new time as argument", _ANY, _MINOR, _CLOCK, None, "Time changed, new time as argument"),
    EventKind(7, "accessed for read", _ANY, _INFO, _ACCESS, None, "Meter accessed for read"),
    EventKind(8, "accessed for write", _ANY, _INFO, _ACCESS, None, "Meter accessed for write"),
    EventKind(9, "procedure invoked", _ANY, _INFO, _ACCESS, None, "Procedure invoked"),
    EventKind(10, "table written", _ANY, _INFO, _ACCESS, None, "Written to"),
    EventKind(11, "programmed", _ANY, _INFO, _METERING, None, "Programmed"),
    EventKind(12, "communication ended normally", _ANY, _INFO, _ACCESS, None, "Communication terminated normally"),
    EventKind(13, "communication ended abnormally", _ANY, _MINOR, _ACCESS, None, "Communication terminated abnormally"),
    EventKind(14, "list cleared", _ANY, _INFO, _LOG, None, "List cleared"),
    EventKind(15, "last read entry updated", _ANY, _INFO, _LOG, None, "Last read entry updated"),
    EventKind(16, "history log cleared", _ANY, _INFO, _LOG, None, "History Log cleared"),
    EventKind(17, "history log last read entry updated", _ANY, _INFO, _LOG, None, "History Log last read entry updated"),
    EventKind(18, "event log cleared", _ANY, _INFO, _LOG, None, "Event Log cleared"),
    EventKind(19, "event log last read entry updated", _ANY, _INFO, _LOG, None, "Event Log last read entry updated"),
    EventKind(20, "demand reset", _E, _INFO, _METERING, CimCode(8, 0, 215), "Demand reset occurred"),
    EventKind(21, "self read", _ANY, _INFO, _METERING, None, "Self read occurred"),
    EventKind(22, "daylight saving time on", _ANY, _INFO, _CLOCK, None),
    EventKind(23, "daylight saving time off", _ANY, _INFO, _CLOCK, None, clears=22),
    EventKind(24, "season change", _ANY, _INFO, _METERING, None, "Season change"),
    EventKind(25, "rate change", _ANY, _INFO, _METERING, None, "Rate change"),
    EventKind(26, "special schedule activation", _ANY, _INFO, _METERING, None, "Special Schedule activation"),
    EventKind(27, "tier changed", _ANY, _INFO, _METERING, None, "Tier changed"),
    EventKind(28, "pending table activated", _ANY, _INFO, _METERING, None, "Pending data stucture activation"),
    EventKind(29, "pending table cleared", _ANY, _INFO, _METERING, None, "Pending data stucture clear"),
    EventKind(30, "metering mode started", _E, _INFO, _METERING, None, "Metering mode started"),
    EventKind(31, "metering mode stopped", _E, _MINOR, _METERING, None, "Metering mode stopped", clears=30),
    EventKind(32, "test mode started", _E, _INFO, _METERING, CimCode(7, 19, 242), "Test mode started"),
    EventKind(33, "test mode stopped", _E, _INFO, _METERING, CimCode(7, 19, 243), "Test mode stopped", clears=32),
    EventKind(34, "meter shop mode started", _E, _INFO, _METERING, None, "Meter shop mode started"),
    EventKind(35, "meter shop mode stopped", _E, _INFO, _METERING, None, "Meter shop mode stopped", clears=34),
    EventKind(36, "meter reprogrammed", _ANY, _MINOR, _METERING, None, "Meter reprogrammed"),
    EventKind(37, "configuration error", _ANY, _MAJOR, _HARDWARE, None, "Configuration error detected"),
    EventKind(38, "self-check error", _ANY, _MAJOR, _HARDWARE, CimCode(21, 18, 79), "Self check error detected"),
    EventKind(39, "RAM failure", _ANY, _MAJOR, _HARDWARE, CimCode(18, 85, 85), "RAM failure detected"),
    EventKind(40, "ROM failure", _ANY, _MAJOR, _HARDWARE, CimCode(18, 92, 85), "ROM failure detected"),
    EventKind(41, "nonvolatile memory failure", _ANY, _MAJOR, _HARDWARE, CimCode(18, 72, 85), "Nonvolatile memory failure detected"),
    EventKind(42, "clock error", _ANY, _MINOR, _CLOCK, CimCode(36, 0, 79), "Clock error detected"),
    EventKind(43, "measurement error", _ANY, _MAJOR, _HARDWARE, CimCode(21, 67, 79), "Measurement error detected"),
    EventKind(44, "low battery", _ANY, _MINOR, _BATTERY, CimCode(2, 22, 150), "Low battery detected"),
    EventKind(45, "low loss potential", _E, _MINOR, _VOLTAGE, CimCode(26, 38, 47), "Low loss potential detected"),
    EventKind(46, "demand overload", _E, _MINOR, _METERING, None, "Demand overload detected"),
    EventKind(47, "tamper attempt", _ANY, _MAJOR, _TAMPER, CimCode(12, 0, 257), "Tamper attempt detected"),
    EventKind(48, "reverse rotation", _E, _MAJOR, _TAMPER, CimCode(12, 93, 219), "Reverse flow detected"),
    EventKind(49, "control point set by command", _E | _W, _INFO, _SWITCH, None),
    EventKind(50, "control point set by schedule", _E | _W, _INFO, _SWITCH, None),
    EventKind(51, "control point set by condition", _E | _W, _MINOR, _SWITCH, None),
    EventKind(52, "control point set by prepayment", _E | _W, _MINOR, _SWITCH, None),
    EventKind(MANUFACTURER | 1, "inter digit", _W, _MINOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 2, "register error", _W, _MAJOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 3, "invalid read", _W, _MINOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 4, "tilt", _G, _MAJOR, _TAMPER, CimCode(12, 0, 257), "Tamper attempt detected"),
    EventKind(MANUFACTURER | 5, "magnet", _G, _MAJOR, _TAMPER, CimCode(12, 0, 257), "Tamper attempt detected"),
    EventKind(MANUFACTURER | 6, "low battery, a tenth left", _GW, _MAJOR, _BATTERY, CimCode(2, 22, 150), "Low battery detected"),
    EventKind(MANUFACTURER | 7, "consumer leak", _W, _MAJOR, _FLOW, None),
    EventKind(MANUFACTURER | 8, "consumer leak ended", _W, _INFO, _FLOW, None, clears=MANUFACTURER | 7),
    EventKind(MANUFACTURER | 9, "reverse flow", _W, _MAJOR, _FLOW, CimCode(12, 93, 219), "Reverse flow detected"),
    EventKind(MANUFACTURER | 10, "reverse flow ended", _W, _INFO, _FLOW, CimCode(12, 93, 28), clears=MANUFACTURER | 9),
    EventKind(MANUFACTURER | 11, "leak sensor well", _W, _INFO, _HARDWARE, None, clears=MANUFACTURER | 12),
    EventKind(MANUFACTURER | 12, "leak sensor silent", _W, _MINOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 13, "leak sensor detached", _W, _MINOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 14, "valve well", _GW, _INFO, _SWITCH, None, clears=MANUFACTURER | 15),
    EventKind(MANUFACTURER | 15, "valve silent", _GW, _MAJOR, _SWITCH, None),
    EventKind(MANUFACTURER | 16, "tilt parameter changed", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 17, "pulse mismatch", _W, _MINOR, _HARDWARE, None, "Measurement error detected"),
    EventKind(MANUFACTURER | 18, "cable cut", _GW, _MAJOR, _TAMPER, CimCode(12, 0, 257), "Tamper attempt detected"),
    EventKind(MANUFACTURER | 19, "cable cut ended", _GW, _INFO, _TAMPER, None, clears=MANUFACTURER | 18),
    EventKind(MANUFACTURER | 22, "extended high flow", _G, _CRITICAL, _FLOW, None),
    EventKind(MANUFACTURER | 23, "extended high flow ended", _G, _INFO, _FLOW, None, clears=MANUFACTURER | 22),
    EventKind(MANUFACTURER | 24, "high temperature of gas", _G, _CRITICAL, _FLOW, None),
    EventKind(MANUFACTURER | 25, "high temperature of gas ended", _G, _INFO, _FLOW, None, clears=MANUFACTURER | 24),
    EventKind(MANUFACTURER | 26, "air in pipe", _G, _CRITICAL, _FLOW, None),
    EventKind(MANUFACTURER | 27, "air in pipe ended", _G, _INFO, _FLOW, None, clears=MANUFACTURER | 26),
    EventKind(MANUFACTURER | 100, "over-voltage", _E, _MAJOR, _VOLTAGE, CimCode(26, 38, 93)),
    EventKind(MANUFACTURER | 101, "over-voltage ended", _E, _INFO, _VOLTAGE, CimCode(26, 38, 73), clears=MANUFACTURER | 100),
    EventKind(MANUFACTURER | 102, "under-voltage", _E, _MAJOR, _VOLTAGE, CimCode(26, 38, 150)),
    EventKind(MANUFACTURER | 103, "under-voltage ended", _E, _INFO, _VOLTAGE, CimCode(26, 38, 37), clears=MANUFACTURER | 102),
    EventKind(MANUFACTURER | 104, "voltage sag ended", _E, _MINOR, _VOLTAGE, CimCode(21, 38, 223)),
    EventKind(MANUFACTURER | 105, "voltage swell ended", _E, _MINOR, _VOLTAGE, CimCode(21, 38, 248)),
    EventKind(MANUFACTURER | 106, "phase lost", _E, _MINOR, _VOLTAGE, CimCode(26, 131, 293)),
    EventKind(MANUFACTURER | 107, "phase back", _E, _INFO, _VOLTAGE, None, clears=MANUFACTURER | 106),
    EventKind(MANUFACTURER | 108, "high temperature", _E, _CRITICAL, _HARDWARE, CimCode(35, 0, 40)),
    EventKind(MANUFACTURER | 109, "high temperature ended", _E, _INFO, _HARDWARE, CimCode(35, 0, 28), clears=MANUFACTURER | 108),
    EventKind(MANUFACTURER | 110, "meter inverted", _E, _MAJOR, _TAMPER, CimCode(12, 17, 257), "Tamper attempt detected"),
    EventKind(MANUFACTURER | 111, "meter removed", _E, _MAJOR, _TAMPER, None, "Tamper attempt detected"),
    EventKind(MANUFACTURER | 112, "reverse energy on one phase", _E, _MAJOR, _TAMPER, CimCode(12, 48, 219), "Reverse flow detected"),
    EventKind(MANUFACTURER | 113, "reverse energy on one phase ended", _E, _INFO, _TAMPER, CimCode(12, 48, 28), clears=MANUFACTURER | 112),
    EventKind(MANUFACTURER | 114, "service switch error", _E, _CRITICAL, _SWITCH, None),
    EventKind(MANUFACTURER | 115, "service switch well", _E, _INFO, _SWITCH, None, clears=MANUFACTURER | 114),
    EventKind(MANUFACTURER | 116, "time lost", _E, _MINOR, _CLOCK, CimCode(36, 114, 73)),
    EventKind(MANUFACTURER | 117, "clock drifted too far", _ANY, _MINOR, _CLOCK, CimCode(36, 136, 73)),
    EventKind(MANUFACTURER | 118, "read with a time to come", _ANY, _MINOR, _CLOCK, CimCode(36, 114, 159)),
    EventKind(MANUFACTURER | 119, "security handshake failed", _ANY, _MAJOR, _ACCESS, CimCode(23, 136, 85)),
    EventKind(MANUFACTURER | 120, "command without privilege", _ANY, _MAJOR, _ACCESS, CimCode(12, 136, 38)),
    EventKind(MANUFACTURER | 121, "alarms held back by the meter", _ANY, _MINOR, _ACCESS, CimCode(23, 17, 139)),
    EventKind(MANUFACTURER | 122, "signal processor error", _E, _MAJOR, _HARDWARE, CimCode(21, 82, 79)),
    EventKind(MANUFACTURER | 123, "signal processor error ended", _E, _INFO, _HARDWARE, CimCode(21, 82, 28), clears=MANUFACTURER | 122),
    EventKind(MANUFACTURER | 124, "system error", _ANY, _MAJOR, _HARDWARE, CimCode(21, 3, 79)),
    EventKind(MANUFACTURER | 125, "system error ended", _ANY, _INFO, _HARDWARE, CimCode(21, 3, 28), clears=MANUFACTURER | 124),
    EventKind(MANUFACTURER | 126, "low battery ended", _ANY, _INFO, _BATTERY, CimCode(2, 22, 28), clears=44),
    EventKind(MANUFACTURER | 127, "RAM failure ended", _ANY, _INFO, _HARDWARE, CimCode(18, 85, 28), clears=39),
    EventKind(MANUFACTURER | 128, "nonvolatile memory failure ended", _ANY, _INFO, _HARDWARE, CimCode(18, 72, 28), clears=41),
    EventKind(MANUFACTURER | 129, "measurement error ended", _ANY, _INFO, _HARDWARE, CimCode(21, 67, 28), clears=43),
    EventKind(MANUFACTURER | 130, "last gasp of the module", _E, _CRITICAL, _POWER, CimCode(26, 136, 47), "Primary power down", _OUT),
    EventKind(
        MANUFACTURER | 131,
        "power back at the module",
        _E,
        _INFO,
        _POWER,
        CimCode(26, 136, 216),
        "Primary power up",
        _BACK,
        clears=MANUFACTURER | 130,
    ),
    EventKind(MANUFACTURER | 132, "power failed, last gasp disabled", _E, _MAJOR, _POWER, CimCode(26, 136, 66)),
    EventKind(MANUFACTURER | 500, "critical internal error", _GW, _CRITICAL, _HARDWARE, None),
    EventKind(MANUFACTURER | 501, "right-sizing started", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 502, "right-sizing completed", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 503, "right-sizing cancelled", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 504, "flash error", _G, _MAJOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 505, "quiet mode left", _G, _INFO, _ACCESS, None),
    EventKind(MANUFACTURER | 506, "network mode entered", _G, _INFO, _ACCESS, None),
    EventKind(MANUFACTURER | 507, "battery parameters set", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 508, "right-sizing parameters set", _G, _INFO, _METERING, None),
    EventKind(MANUFACTURER | 509, "key updated", _G, _INFO, _ACCESS, None),
    EventKind(MANUFACTURER | 510, "device not communicating", _G, _MAJOR, _HARDWARE, None),
    EventKind(MANUFACTURER | 511, "load profile cleared", _G, _MINOR, _LOG, None),
    EventKind(MANUFACTURER | 512, "time set by hand", _G, _MINOR, _CLOCK, None),
    EventKind(MANUFACTURER | 515, "time set by more than the threshold", _G, _MINOR, _CLOCK, None),
    EventKind(LOAD_SIDE_VOLTAGE, "voltage behind an open switch", _E, _CRITICAL, _TAMPER, CimCode(31, 1, 143)),
    EventKind(SWITCH_OPENED, "switch opened", _E | _W, _INFO, _SWITCH, None),
    EventKind(SWITCH_CLOSED, "switch closed", _E | _W, _INFO, _SWITCH, None, clears=SWITCH_OPENED),
    EventKind(SWITCH_ARMED, "switch armed", _E | _W, _INFO, _SWITCH, None),
    EventKind(MOMENTARIES, "momentary interruptions", _E, _MINOR, _POWER, None, "Momentary interruption"),
    EventKind(USAGE_SEEN, "usage at a watched meter", _ANY, _MAJOR, _USAGE, None),
    EventKind(THRESHOLD_REACHED, "threshold of a watched meter reached", _ANY, _MINOR, _USAGE, None),
)

_ROUTER_SEVERITIES = {"critical": _CRITICAL, "major": _MAJOR, "minor": _MINOR, "info": _INFO}
_ROUTER_CLEARS = {kind.cleared_by: kind.code for kind in ROUTER_EVENTS.values() if kind.cleared_by is not None}
_ROUTER_KINDS = tuple(
    EventKind(
        int(kind.code),
        kind.name,
        frozenset(),
        _ROUTER_SEVERITIES[kind.severity],
        Category.NETWORK,
        clears=_ROUTER_CLEARS.get(kind.code),
    )
    for kind in ROUTER_EVENTS.values()
)

DEFAULT_CATALOGUE = EventCatalogue.of((*_METER_KINDS, *_ROUTER_KINDS))
"""All of it; a utility may have another name, severity, category, code or meaning for any, and more of them (`event_settings`)."""
