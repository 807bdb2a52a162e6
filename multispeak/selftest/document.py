"""The assertion document of a self-test, in Markdown and in HTML. Pure."""

from multispeak.selftest.assertions import MEANINGS, Assertion, Report, ServiceReport, Verdict
from multispeak.service_pages import rendered

CLASSES = {Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.REFUSED: "warn"}
TITLE = "MultiSpeak assertions"


def as_html(report: Report) -> bytes:
    """With what was sent and received, to be unfolded."""
    return rendered(
        "assertions.html",
        f"{TITLE}: {report.address}",
        kind="assertion document",
        trail=[],
        report=report,
        facts=_facts(report),
        classes=CLASSES,
        meanings=MEANINGS,
        verdicts=list(Verdict),
    )


def as_markdown(report: Report) -> str:
    """The same without envelopes."""
    lines = [f"# {TITLE}: {_cell(report.address)}", ""]
    lines += [f"- {name}: {_cell(value)}" for name, value in _facts(report)]
    lines += ["", "| result | count | meaning |", "|---|---|---|"]
    lines += [f"| {verdict} | {report.counts[verdict]} | {MEANINGS[verdict]} |" for verdict in Verdict]
    for service in report.services:
        lines += ["", *_service_lines(service)]
    return "\n".join(lines) + "\n"


def _service_lines(service: ServiceReport) -> list[str]:
    lines = [f"## {service.service} {service.version}", "", f"Address: {_cell(service.url)}", ""]
    lines += ["| operation | request | result | note |", "|---|---|---|---|"]
    return lines + [_line(assertion) for assertion in service.assertions]


def _line(assertion: Assertion) -> str:
    verdict = f"**{assertion.verdict}**" if assertion.verdict is Verdict.FAILED else str(assertion.verdict)
    return f"| {_cell(assertion.operation)} | {_cell(assertion.request)} | {verdict} | {_cell(assertion.note)} |"


def _facts(report: Report) -> list[tuple[str, str]]:
    return [
        ("date", report.began.isoformat(timespec="seconds")),
        ("called as", report.user_id or "nobody"),
        ("SOAP", report.soap),
        ("operations that act", "called" if report.effects else "not called"),
        ("tool", report.tool),
        ("held against", "the WSDLs' own schemas of MultiSpeak 3.0 and 4.1.6, request and answer, header and body"),
    ]


def _cell(text: str) -> str:
    """Text that stays in its cell and says what it says."""
    for special in "\\`*_[]<>|#":
        text = text.replace(special, "\\" + special)
    return " ".join(text.split())
