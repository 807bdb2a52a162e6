"""Registrations, which every server takes: what a partner wants to be told, and where.

Source  reference/multispeak.md 4
"""

from collections.abc import Sequence
from typing import Any

from headend.model.partner import Credentials
from headend.model.registration import Registration
from headend.registrations import UnknownRegistrationError
from multispeak.calls import Answer, Call, Handler
from multispeak.error_objects import ObjectError, error_objects
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import METHODS_MAX, REGISTRATION_TEXT_CHARACTERS_MAX
from multispeak.response_urls import mismatch, naming_problem

_NOUN, _METHOD = "registrationInfo", "methodName"
_METHODS_LIST = {"3.0": "methodsList", "4.1.6": "ArrayOfString.methodName"}


def registration_handlers() -> dict[str, Handler]:
    """Handlers of the registration operations, the same in both versions."""
    return {
        "RequestRegistrationID": request_registration_id,
        "RegisterForService": register_for_service,
        "UnregisterForService": unregister_for_service,
        "GetRegistrationInfoByID": get_registration_info,
        "GetPublishMethods": get_publish_methods,
    }


async def request_registration_id(call: Call) -> Answer:
    """An id to register under, kept for the caller alone."""
    registration_id = call.new_id()
    await call.store.reserve_registration(registration_id, call.partner.user_id, call.now)
    return Answer(registration_id)


async def register_for_service(call: Call) -> Answer:
    """Subscribes the caller to notifications, in place of what was registered under the same id; nothing changes if anything is wrong."""
    details = call.request.registrationDetails
    registration_id = ((details and details.registrationID) or "").strip()
    if not registration_id:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, "RegisterForService names no registrationID")
    names = _names(details)
    problems = _problems(call, registration_id, details, names)
    if not problems:
        try:
            await call.store.register(_registration(call, registration_id, details, names))
        except UnknownRegistrationError as error:
            problems = [ObjectError.of(registration_id, error, _NOUN)]
    return error_objects(call, problems)


async def unregister_for_service(call: Call) -> Answer:
    """Ends a subscription and forgets its id."""
    registration_id = (call.request.registrationID or "").strip()
    try:
        await call.store.unregister(registration_id, call.partner.user_id)
    except UnknownRegistrationError as error:
        return error_objects(call, [ObjectError.of(registration_id, error, _NOUN)])
    return error_objects(call, [])


async def get_registration_info(call: Call) -> Answer:
    """What is registered under an id of the caller's; its password is never told back."""
    registration_id = (call.request.registrationID or "").strip()
    found = await call.store.registration(registration_id, call.partner.user_id)
    if found is None:
        raise UnknownRegistrationError(registration_id)
    return Answer(_info(call, found))


async def get_publish_methods(call: Call) -> Answer:
    """The notifications that this server publishes to those who register."""
    return Answer(call.records["ArrayOfString"](string=list(call.binding.published)))


def _problems(call: Call, registration_id: str, details: Any, names: Sequence[str]) -> list[ObjectError]:
    """Everything that is wrong with a registration."""
    told = _text_problems(details)
    takers = call.binding.publications.takers
    url = (details.responseURL or "").strip()
    problem = naming_problem(url, call.partner.notifications)
    problem = problem or mismatch(url, call.version, [n for n in names if n in takers], takers)
    if problem:
        told.append(f"responseURL {problem}")
    wanted = call.partner.notifications.version
    if wanted and wanted != call.version:
        told.append(f"this partner is told things in MultiSpeak {wanted}; register with {call.binding.service.name} of that version")
    if not 0 < len(names) <= METHODS_MAX:
        told.append(f"methodsList names {len(names)} methods; 1 to {METHODS_MAX} are taken")
    strange = [n for n in names[:METHODS_MAX] if n not in call.binding.published]
    sentence = f"{call.binding.service.name} of MultiSpeak {call.version} publishes no {{}}; GetPublishMethods lists what it does"
    return [
        *(ObjectError(registration_id, text, _NOUN) for text in told),
        *(ObjectError(name[:120], sentence.format(repr(name[:120])), _METHOD) for name in strange),
    ]


def _names(details: Any) -> list[str]:
    listed = details.methodsList.methodName if details.methodsList else None
    return list(dict.fromkeys(name.strip() for name in listed or () if name and name.strip()))


def _text_problems(details: Any) -> list[str]:
    texts = {"responseUserID": details.responseUserID, "responsePwd": details.responsePwd, "MSFunction": details.MSFunction}
    return [
        f"{name} has more than {REGISTRATION_TEXT_CHARACTERS_MAX} characters"
        for name, text in texts.items()
        if len(text or "") > REGISTRATION_TEXT_CHARACTERS_MAX
    ]


def _registration(call: Call, registration_id: str, details: Any, names: Sequence[str]) -> Registration:
    user_id = details.responseUserID or ""
    return Registration(
        registration_id=registration_id,
        partner=call.partner.user_id,
        version=call.version,
        server=call.binding.service.name,
        response_url=details.responseURL.strip(),
        credentials=Credentials(user_id, details.responsePwd or "") if user_id else None,
        function=details.MSFunction or "",
        notifications=tuple(names),
        registered=call.now,
    )


def _info(call: Call, found: Registration) -> Any:
    return call.records[_NOUN](
        registrationID=found.registration_id,
        responseURL=found.response_url,
        responseUserID=found.credentials.user_id if found.credentials else None,
        MSFunction=found.function or None,
        methodsList=call.records[_METHODS_LIST[call.version]](methodName=list(found.notifications)),
    )
