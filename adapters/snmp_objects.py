"""The MIB objects that are asked of a router, by name: single ones and columns of tables.

Source  reference/domain-itron-openway.md 6.4; BATTERY-MIB: RFC 7577; the battery's CSMP fields (6.3, TLV 200) have no OIDs of their own
        and stand where our emulated routers have them (emulators/DECISIONS.md)
"""

from typing import Final

from adapters.snmp_message import Oid

_MIB_2: Final = (1, 3, 6, 1, 2, 1)
_CISCO: Final = (1, 3, 6, 1, 4, 1, 9, 9)
_BBU: Final = (1, 3, 6, 1, 3, 61628, 200, 1)

SINGLE: Final[dict[str, Oid]] = {
    "sysDescr": (*_MIB_2, 1, 1),
    "sysUpTime": (*_MIB_2, 1, 3),
    "ceAlarmCriticalCount": (*_CISCO, 138, 1, 2, 1),
    "ceAlarmMajorCount": (*_CISCO, 138, 1, 2, 2),
    "ccmHistoryRunningLastChanged": (*_CISCO, 43, 1, 1, 1),
    "bbuIsPresent": (*_BBU, 2),
    "bbuIsReady": (*_BBU, 3),
    "bbuPowerSource": (*_BBU, 4),
    "bbuBatteryLevel": (*_BBU, 6),
}
"""Objects with one instance, .0."""

COLUMNS: Final[dict[str, Oid]] = {
    "ifDescr": (*_MIB_2, 2, 2, 1, 2),
    "ifType": (*_MIB_2, 2, 2, 1, 3),
    "ifAdminStatus": (*_MIB_2, 2, 2, 1, 7),
    "ifOperStatus": (*_MIB_2, 2, 2, 1, 8),
    "ifHCInOctets": (*_MIB_2, 31, 1, 1, 1, 6),
    "ifHCOutOctets": (*_MIB_2, 31, 1, 1, 1, 10),
    "ceAlarmList": (*_CISCO, 138, 1, 2, 5, 1, 3),
    "ciscoEnvMonTemperatureStatusValue": (*_CISCO, 13, 1, 3, 1, 3),
    "ciscoEnvMonSupplyState": (*_CISCO, 13, 1, 5, 1, 3),
    "ciscoEnvMonSupplySource": (*_CISCO, 13, 1, 5, 1, 4),
    "cefcFRUPowerOperStatus": (*_CISCO, 117, 1, 1, 2, 1, 2),
    "cefcModuleOperStatus": (*_CISCO, 117, 1, 2, 1, 1, 2),
    "cpmCPUTotal5minRev": (*_CISCO, 109, 1, 1, 1, 1, 8),
    "ciscoMemoryPoolFree": (*_CISCO, 48, 1, 1, 1, 6),
    "cwpanIfServiceStatus": (*_CISCO, 819, 1, 1, 1, 1, 1),
    "cwpanIfRplTableNodes": (*_CISCO, 819, 1, 1, 1, 1, 4),
    "c3gModemState": (*_CISCO, 661, 1, 1, 1, 3),
    "c3gConnectionStatus": (*_CISCO, 661, 1, 1, 1, 8),
    "c3gModemTemperature": (*_CISCO, 661, 1, 1, 1, 12),
    "c3gCurrentGsmRssi": (*_CISCO, 661, 1, 3, 4, 1, 1, 1),
    "cwceLteCurrRsrp": (*_CISCO, 817, 1, 1, 1, 1, 1, 1),
    "batteryActualCapacity": (*_MIB_2, 233, 1, 1, 1, 10),
    "batteryChargingOperState": (*_MIB_2, 233, 1, 1, 1, 13),
    "batteryActualCharge": (*_MIB_2, 233, 1, 1, 1, 15),
}
"""Columns of tables, whose instances are found as they come."""

ENTITY_NAME: Final = (*_MIB_2, 47, 1, 1, 1, 1, 2)
ENTITY_TYPE: Final = (*_MIB_2, 47, 1, 1, 1, 1, 3)
"""entPhysicalDescr and entPhysicalVendorType: asked of entities that have an alarm, to know which is the door."""

DOOR_TYPE: Final = (1, 3, 6, 1, 4, 1, 9, 1, 1998)
"""ciscoDoorCGR1240."""

SYS_UP_TIME: Final = (*_MIB_2, 1, 3, 0)
TRAP_OID: Final = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
"""snmpTrapOID.0: which notification it is."""

RELOAD: Final = (1, 3, 6, 1, 4, 1, 9, 2, 9, 9, 0)
RELOAD_VALUE: Final = 2
"""tsMsgSend of OLD-CISCO-TS-MIB, and what set to it reloads a router that permits that (snmp-server system-shutdown)."""

_TRAPS: Final = (1, 3, 6, 1, 6, 3, 1, 1, 5)
COLD_START, WARM_START, AUTHENTICATION_FAILURE = (*_TRAPS, 1), (*_TRAPS, 2), (*_TRAPS, 5)
RPL_TABLE_RESET: Final = (*_CISCO, 819, 0, 2)
CONFIG_CHANGED: Final = (*_CISCO, 43, 2, 0, 1)
FLASH_COPY_COMPLETED: Final = (*_CISCO, 10, 1, 3, 0, 1)
