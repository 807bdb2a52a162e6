"""The gSOAP programs of a build as one client: a plan from standard input, answers to standard output, both JSON (see plan.py)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from lxml import etree

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


def main() -> None:
    plan = json.load(sys.stdin)
    programs = {server: Program(Path(sys.argv[1]) / server, plan, server) for server in plan["wsdls"]}
    answers: list[dict[str, Any]] = []
    for call in plan["calls"]:
        answers.append(programs[call["server"]].call(call, answers))
    for program in programs.values():
        program.end()
    json.dump(answers, sys.stdout)


class Program:
    """One server's program."""

    def __init__(self, program: Path, plan: dict[str, Any], server: str) -> None:
        self._namespace = plan["namespace"]
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        header = self._element("MultiSpeakMsgHeader", {"@" + name: value for name, value in plan["header"].items()}, [])
        self._say(plan["addresses"][server], etree.tostring(header, encoding="unicode"))

    def call(self, call: dict[str, Any], answers: list[dict[str, Any]]) -> dict[str, Any]:
        """What one call is answered."""
        request = self._element(call["operation"], call["arguments"], answers)
        self._say(call["operation"], json.dumps(call["paged"]), etree.tostring(request, encoding="unicode"))
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        for page in answer.get("pages", []):
            page["header"] = neutral(etree.fromstring(page["header"].encode()))
            whole = neutral(etree.fromstring(page["result"].encode()))
            page["result"] = whole.get(call["operation"] + "Result") if isinstance(whole, dict) else None
        return answer

    def end(self) -> None:
        self._process.communicate()

    def _say(self, *fields: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(fields) + "\n")
        self._process.stdin.flush()

    def _element(self, name: str, value: Any, answers: list[dict[str, Any]]) -> etree._Element:
        """An argument as XML, in the contract's namespace."""
        element = etree.Element(f"{{{self._namespace}}}{name}")
        if not isinstance(value, dict):
            element.text = str(value)
        elif "from" in value:
            element.text = answers[value["from"]]["pages"][0]["result"]
        else:
            for key, inner in value.items():
                if key == "_":
                    element.text = str(inner)
                elif key.startswith("@"):
                    element.set(key[1:], inner)
                else:
                    element.extend(self._element(key, one, answers) for one in (inner if isinstance(inner, list) else [inner]))
        return element


def neutral(element: etree._Element) -> Any:
    """Elements and attributes by name and text as `_`; an element that has nothing but text is its text."""
    said: dict[str, Any] = {name: value for name, value in element.attrib.items() if not name.startswith("{")}
    for child in element:
        name = etree.QName(child).localname
        said[name] = [*said.get(name, []), neutral(child)]
    said = {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in said.items()}
    if not said:
        return element.text
    return said | ({"_": element.text} if element.text and element.text.strip() else {})


if __name__ == "__main__":
    main()
