"""Registrations: an endpoint says where it is, and is told for how long that holds. Pure."""

from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address

from headend.c1222.network_services import REGISTRATION_DIRECT_MESSAGING, Register
from headend.c1222.responses import RegisterReply, ResponseCode
from headend.c1222.services import decode_request
from headend.errors import WireError
from headend.model.collection import Collected, EndpointSecurity
from headend.model.endpoint import NativeAddress, Transport
from headend.push import Outcome

PERIOD_SECONDS_MIN, PERIOD_SECONDS_MAX = 3_600, 7 * 86_400
"""How often an endpoint may have to register again: hourly at most, weekly at least."""

_OK, _ERR, _UAT = (bytes((code,)) for code in (ResponseCode.OK, ResponseCode.ERR, ResponseCode.UAT))


def is_registration(bodies: tuple[bytes, ...]) -> bool:
    """Whether a message is one registration."""
    return len(bodies) == 1 and bodies[0][:1] == bytes((Register.CODE,))


def take_registration(body: bytes, sender: EndpointSecurity, address: NativeAddress, now: datetime) -> Outcome:
    """The address it came from is where the endpoint is from now on; over TCP the one it names, since the port it calls from passes."""
    heard = Collected(sender.endpoint_id, now)
    try:
        request = decode_request(body)
    except WireError:
        return Outcome(heard, (_ERR,))
    if not isinstance(request, Register):
        return Outcome(heard, (_ERR,))
    if request.ap_title.absolute != sender.ap_title:
        return Outcome(heard, (_UAT,))
    reached = address if address.transport is Transport.UDP else _named(request.native_address, address)
    period = min(max(request.period_seconds, PERIOD_SECONDS_MIN), PERIOD_SECONDS_MAX)
    reply = RegisterReply(request.ap_title, 0, period, REGISTRATION_DIRECT_MESSAGING)
    if reached != sender.address:
        heard = replace(heard, address=reached)
    return Outcome(heard, (_OK + reply.encode(),))


def _named(native_address: bytes, came_from: NativeAddress) -> NativeAddress:
    """The address in a registration: 4 or 16 octets, and a port; else the one it came from."""
    if len(native_address) not in {6, 18}:
        return came_from
    return NativeAddress(came_from.transport, str(ip_address(native_address[:-2])), int.from_bytes(native_address[-2:]))
