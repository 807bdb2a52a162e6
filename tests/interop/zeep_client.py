"""zeep as an integrator's client: a plan of calls from standard input, their answers to standard output, both JSON (see plan.py)."""

import json
import sys
from datetime import date
from typing import Any

import zeep
from zeep.helpers import serialize_object
from zeep.xsd.valueobjects import CompoundValue


def main() -> None:
    plan = json.load(sys.stdin)
    namespace, port = plan["namespace"], {"1.1": "Soap", "1.2": "Soap12"}[plan["soap"]]
    services = {}
    for server, wsdl in plan["wsdls"].items():
        services[server] = zeep.Client(wsdl).create_service(f"{{{namespace}}}{server}{port}", plan["addresses"][server])
    answers: list[dict[str, Any]] = []
    for call in plan["calls"]:
        operation, arguments = services[call["server"]][call["operation"]], filled(call["arguments"], answers)
        try:
            answers.append({"pages": list(pages(operation, call, arguments, plan["header"]))})
        except zeep.exceptions.Fault as fault:
            code = ".".join([fault.code, *(name.localname for name in fault.subcodes or [])])
            answers.append({"fault": {"code": code, "text": fault.message}})
    json.dump(answers, sys.stdout)


def pages(operation: Any, call: dict[str, Any], arguments: dict[str, Any], header: dict[str, str]) -> Any:
    """Every page of an answer, going on from LastSent while anything remains."""
    while True:
        answer = operation(**arguments, _soapheaders={"MultiSpeakMsgHeader": header})
        said = neutral(answer.header.MultiSpeakMsgHeader)
        result = getattr(answer.body, call["operation"] + "Result", None)
        yield {"header": said, "result": neutral(result)}
        if not call["paged"] or int(said.get("ObjectsRemaining", 0)) == 0:
            return
        arguments["lastReceived"] = said["LastSent"]


def filled(value: Any, answers: list[dict[str, Any]]) -> Any:
    """An argument in zeep's terms: attributes among the elements, text as `_value_1`; `{"from": n}` is what call n answered."""
    if isinstance(value, dict):
        if "from" in value:
            return answers[value["from"]]["pages"][0]["result"]
        return {{"_": "_value_1"}.get(name, name.lstrip("@")): filled(inner, answers) for name, inner in value.items()}
    return [filled(item, answers) for item in value] if isinstance(value, list) else value


def neutral(value: Any) -> Any:
    """An answer as elements by name and text as `_`."""
    if isinstance(value, CompoundValue):
        value = serialize_object(value, dict)
    if isinstance(value, dict):
        named = {"_" if name == "_value_1" else name: neutral(inner) for name, inner in value.items()}
        return {name: inner for name, inner in named.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        return [neutral(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value if value is None or isinstance(value, bool) else str(value)


if __name__ == "__main__":
    main()
