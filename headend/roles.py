"""Roles of a process: which part of a head-end it is, where several share one database."""

from enum import StrEnum


class Role(StrEnum):
    """A part that a process plays.

    GATEWAY answers partners over SOAP and keeps the message log. COLLECTOR talks to endpoints, takes what they push, makes due what
    calendars say, and watches routers (one collector of a utility does, the others stand by). DISPATCHER tells partners and keeps house.
    """

    GATEWAY = "gateway"
    COLLECTOR = "collector"
    DISPATCHER = "dispatcher"


ALL_ROLES = frozenset(Role)
