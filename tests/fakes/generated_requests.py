"""Requests made up from the contract: whatever its types, enumerations, choices and occurrences allow, and the same with one thing wrong.

Values are half those that the utility of `reading_world.py` has, so that handlers get far, and half what a type allows at its edges.
"""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st
from lxml import etree

from multispeak.contract import XSI_NAMESPACE, AttributeDef, Contract, ElementDef, OperationDef, Particle, TypeDef
from tests.fakes.reading_world import CYCLE, METERS, MIDNIGHTS

DEPTH_MAX = 7
"""Levels below a parameter: the deepest thing that is read, a place within a meter within a list, is five below."""

NODES_MAX = 60
"""Elements of a request, about; past it only what is required comes."""

_URLS = ["http://cis.example:9/MDM_Server", "https://cis.example/CB_Server.asmx", "ftp://x", "not an address", ""]
_NAMES = [*METERS, "NOPE", "mixed", "SPM2", "ACM1", CYCLE, "SP9"]
_WORDS = [
    "",
    " ",
    "kWh",
    "posKWh",
    "Register",
    "meter",
    "serviceLocation",
    "electric",
    "t-1",
    "mid & <night>",
    "é中😀",
    "x" * 300,
    "a,b;c|d",
]
_TIMES = [
    "2026-06-29T00:00:00-05:00",
    "2026-06-30T05:00:00Z",
    "2026-07-01T00:00:00",
    "2026-06-29T12:30:00.1234567+02:00",
    "2026-03-08T02:30:00",
    "2026-02-28T24:00:00",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59-14:00",
    "12026-01-01T00:00:00Z",
    "-0044-03-15T12:00:00Z",
]
_LIKELY = {
    "startDate": [MIDNIGHTS[0].isoformat(), "2026-06-29T00:00:00"],
    "profileStartDate": [MIDNIGHTS[0].isoformat()],
    "endDate": [MIDNIGHTS[2].isoformat(), "2026-06-30T24:00:00"],
    "profileEndDate": [MIDNIGHTS[2].isoformat()],
    "billingDate": [MIDNIGHTS[1].isoformat(), MIDNIGHTS[2].isoformat()],
    "profileDate": [MIDNIGHTS[1].isoformat()],
    "timeToRead": ["2026-07-01T13:00:00Z", "2026-07-03T00:00:00-05:00"],
    "responseURL": ["http://cis.example:9/MDM_Server", "https://cis.example/MDM_Server.asmx"],
    "expirationTime": ["600", "0", "86400.5"],
    "expTime": ["10", "0"],
    "kWhLookBack": ["0", "1", "3"],
    "kWLookBack": ["0", "1", "3"],
    "kWLookForward": ["0", "1"],
    "lastReceived": ["", "M1", "M2@2026-06-29T05:00:00Z"],
    "fieldName": ["kWh", "posKWh", "negKWh", "peakDemand", "voltagePhaseA", "waterVolume"],
    "readingType": ["Register", "Interval", "kWh", "posKWh"],
    "uomData": ["kWh", "V", "Gallons"],
    "meterGroupID": ["mixed", "new group"],
    "meterGroupName": ["mixed", "new group"],
    "groupName": ["mixed", "new group"],
    "billingCycle": [CYCLE, "08"],
    "scheduleID": ["S1"],
    "readingScheduleID": ["S1"],
    "domainName": ["serviceType", "meterStatus", "RCDState"],
    "objectID": ["S1", "M1", "mixed", "new group"],
    "nounType": ["meter", "electricMeter", "serviceLocation", "account", "meterGroup"],
    "objectName": ["M1", "SPM2", "ACM2", "mixed"],
    "loadActionCode": ["Connect", "Disconnect", "Arm"],
}
"""What an honest client would say, by the name of the element; that of the list for its items."""

_WHOLE = ["0", "1", "7", "30", "-1", "2147483647", "-2147483648"]
_LONG = [*_WHOLE, "9223372036854775807", "-9223372036854775808"]
_REAL = ["0", "1.5", "-2", "1e30", "-0", "INF", "-INF", "NaN", "600", "43006.707"]
_BUILT_IN = {
    "dateTime": _TIMES,
    "date": ["2026-06-30", "2026-06-30Z", "0001-01-01", "12026-01-01"],
    "time": ["12:00:00", "24:00:00", "00:00:00.001Z"],
    "boolean": ["true", "false", "1", "0"],
    "float": _REAL,
    "double": [*_REAL, "1e300"],
    "decimal": ["0", "1.50", "-7", "1" * 40, "0." + "3" * 40],
    "int": _WHOLE,
    "long": _LONG,
    "integer": [*_LONG, "1" + "0" * 30, "+5", "007"],
    "unsignedInt": ["0", "1", "4294967295"],
    "unsignedByte": ["0", "255"],
    "anyURI": _URLS,
    "QName": ["PingURL"],
    "base64Binary": ["", "AAEC"],
}

_XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=12)


class Generator:
    """Makes requests of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def requests(self, operation: OperationDef) -> st.SearchStrategy[str]:
        """Valid contents of an operation's element."""

        @st.composite
        def made(draw: st.DrawFn) -> str:
            drawing = _Drawing(self._contract, draw)
            return "".join(drawing.occurrences(member, 0) for member in operation.request)

        return made()


class _Drawing:
    """One request being made."""

    def __init__(self, contract: Contract, draw: st.DrawFn) -> None:
        self._contract = contract
        self._draw = draw
        self._nodes = 0

    def _one_of(self, values: Any) -> Any:
        return self._draw(st.sampled_from(values))

    def occurrences(self, element: ElementDef, depth: int, owner: str = "") -> str:
        """An element as often as it comes."""
        kind = self._contract.types.get(element.type_name)
        low, high = element.low, 3 if element.many else 1
        if depth >= DEPTH_MAX or self._nodes > NODES_MAX or (kind is not None and kind.abstract and not self._concrete(kind)):
            count = low
        else:
            # Parameters mostly come, what is within objects comes now and then.
            count = max(low, self._one_of((0, 1, 1, 1, high) if depth < 2 else (0, 0, 1, high)))
        return "".join(self._element(element, depth, owner) for _ in range(count))

    def _element(self, element: ElementDef, depth: int, owner: str) -> str:
        self._nodes += 1
        name = element.name
        if element.nillable and self._one_of((False, False, False, True)):
            kind = self._contract.types.get(element.type_name)
            if kind is None or not any(a.use == "required" for t in self._contract.lineage(kind.name) for a in t.attributes):
                return f'<{name} xsi:nil="true"/>'
        kind = self._contract.types.get(element.type_name)
        typed = ""
        if kind is not None and kind.abstract:
            concrete = self._concrete(kind)
            assert concrete, f"{name} is required and has no type"
            kind = self._contract.types[self._one_of(concrete)]
            typed = f' xsi:type="{kind.name}"'
        if kind is None or kind.simple:
            return f"<{name}>{self._text(element.type_name, owner.removesuffix('s') if name == 'string' else name)}</{name}>"
        chain = self._contract.lineage(kind.name)
        attributes = "".join(self._attribute(a) for t in chain for a in t.attributes)
        inside = self._text(kind.name, name) if any(t.content for t in chain) else "".join(self._members(t, depth + 1, name) for t in chain)
        return f"<{name}{typed}{attributes}>{inside}</{name}>"

    def _concrete(self, kind: TypeDef) -> list[str]:
        """Types that can stand for an abstract one."""
        if kind.name == "mspObject":
            return []
        return [n for n in self._contract.derived.get(kind.name, ()) if n in self._contract.types and not self._contract.types[n].abstract]

    def _attribute(self, attribute: AttributeDef) -> str:
        if attribute.use != "required" and self._one_of((True, True, True, False)):
            return ""
        return f" {attribute.name}={quoteattr(self._value(attribute.type_name or 'xs:string', attribute.name))}"

    def _members(self, kind: TypeDef, depth: int, owner: str) -> str:
        if kind.particle:
            return self._particle(kind.particle, {e.name: e for e in kind.elements}, depth)
        return "".join(self.occurrences(element, depth, owner) for element in kind.elements)

    def _particle(self, particle: Particle, elements: dict[str, ElementDef], depth: int) -> str:
        kind, low, high, *rest = particle
        deep = depth >= DEPTH_MAX or self._nodes > NODES_MAX
        count = low if deep else max(low, self._one_of((0, 1, 1 if str(high) == "1" else 2)))
        if kind == "any":
            return "<PingURL/>" * (0 if deep else self._one_of((0, 0, 0, 1)))
        said = ""
        for _ in range(count):
            chosen = [self._one_of(rest[0])] if kind == "choice" else rest[0]
            for member in chosen:
                nested = isinstance(member, list)
                said += self._particle(member, elements, depth) if nested else self.occurrences(elements[member], depth)
        return said

    def _text(self, type_name: str, name: str) -> str:
        return escape(self._value(type_name, name))

    def _value(self, type_name: str, name: str) -> str:
        kind = self._contract.types.get(type_name)
        likely = [value for value in _LIKELY.get(name, ()) if kind is None or not kind.enum or value in kind.enum]
        if likely and self._one_of((True, True, True, False)):
            return str(self._one_of(likely))
        while kind is not None:
            if kind.enum:
                return str(self._one_of(kind.enum))
            type_name = kind.base or kind.content or "xs:string"
            kind = self._contract.types.get(type_name)
        values = _BUILT_IN.get(type_name.removeprefix("xs:"))
        if values is not None:
            return str(self._one_of(values))
        if "URL" in name:
            return str(self._one_of(_URLS))
        return str(self._draw(st.sampled_from(_NAMES) | st.sampled_from(_WORDS) | _XML_TEXT))


def _drop(draw: st.DrawFn, element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _repeat(draw: st.DrawFn, element: etree._Element) -> None:
    element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))


def _rename(draw: st.DrawFn, element: etree._Element) -> None:
    element.tag = f"{{{etree.QName(element).namespace}}}{draw(st.sampled_from(['strange', 'meter', 'PingURL']))}"


def _move(draw: st.DrawFn, element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.insert(0 if parent[-1] is element else len(parent), element)


def _other_namespace(draw: st.DrawFn, element: etree._Element) -> None:
    element.tag = f"{{urn:strange}}{etree.QName(element).localname}"


def _say(draw: st.DrawFn, element: etree._Element) -> None:
    element.text = draw(st.sampled_from(["strange", "-1", "", "99999999999999999999", "2026-13-45T00:00:00Z", "ELECTIC", "\u00a0"]))


def _nil(draw: st.DrawFn, element: etree._Element) -> None:
    element.set(f"{{{XSI_NAMESPACE}}}nil", "true")


def _type(draw: st.DrawFn, element: etree._Element) -> None:
    element.set(f"{{{XSI_NAMESPACE}}}type", draw(st.sampled_from(["meter", "xs:string", "nobody:nothing", "customer", "mspObject"])))


def _attribute(draw: st.DrawFn, element: etree._Element) -> None:
    element.set(draw(st.sampled_from(["strange", "objectID", "verb", "{urn:strange}id", "units"])), draw(st.sampled_from(["", "x", "New"])))


def _within(draw: st.DrawFn, element: etree._Element) -> None:
    etree.SubElement(element, element.tag)


MUTATIONS: list[Callable[[st.DrawFn, etree._Element], None]] = [
    _drop, _repeat, _rename, _move, _other_namespace, _say, _nil, _type, _attribute, _within
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, body: etree._Element) -> etree._Element:
    """A message with one thing changed, which is mostly a mistake; one without elements gets one."""
    copy = etree.fromstring(etree.tostring(body))
    inner = [element for element in copy.iter() if element is not copy]
    if not inner:
        etree.SubElement(copy, f"{{{etree.QName(copy).namespace}}}strange")
        return copy
    draw(st.sampled_from(MUTATIONS))(draw, draw(st.sampled_from(inner)))
    return copy
