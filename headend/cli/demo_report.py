"""What `headend demo` tells people: what was collected, and what to do next."""

from datetime import date, datetime
from pathlib import Path

from rich.table import Table

from headend.model.collection import CollectionSummary


def summary_table(summary: CollectionSummary, day: date, seconds: float) -> Table:
    """Endpoints, reads, intervals, exceptions and seconds of a collection."""
    table = Table(title=f"Collected for {day:%A, %Y-%m-%d}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in (
        ("endpoints", f"{summary.endpoints:,}"),
        ("endpoints with data", f"{summary.done:,}"),
        ("register reads", f"{summary.register_reads:,}"),
        ("intervals", f"{summary.intervals:,}"),
        ("events", f"{summary.events:,}"),
        ("exceptions", f"{summary.failed:,}"),
        ("seconds", f"{seconds:.1f}"),
    ):
        table.add_row(name, value)
    return table


def next_steps(
    wsdls: dict[str, str], user_id: str, password: str, meter_no: str, start: datetime, end: datetime, config: Path
) -> str:
    """WSDL addresses, credentials, a command to give beside it, and a zeep snippet that works when pasted into a Python with zeep."""
    addresses = "\n".join(f"  MR_Server {version:<6} {wsdl}" for version, wsdl in wsdls.items())
    return f"""
Serving MultiSpeak until Ctrl-C. The WSDLs:
{addresses}

UserID: {user_id}
Pwd: {password}

In another terminal, as long as it serves (and likewise ping, voltage, switch, connect, disconnect; commands list, status, messages list):

  headend read {meter_no} --config {config}

Paste this into .venv/bin/python, or any Python that has zeep:

{zeep_snippet(wsdls["3.0"], user_id, password, meter_no, start, end)}"""


def zeep_snippet(wsdl: str, user_id: str, password: str, meter_no: str, start: datetime, end: datetime) -> str:
    """Python that reads one meter's day over MultiSpeak 3.0."""
    return f'''from datetime import datetime
import zeep

client = zeep.Client("{wsdl}")
header = client.get_element("{{http://www.multispeak.org/Version_3.0}}MultiSpeakMsgHeader")
reads = client.service.GetReadingsByMeterNo(
    meterNo="{meter_no}",
    startDate=datetime.fromisoformat("{start.isoformat()}"),
    endDate=datetime.fromisoformat("{end.isoformat()}"),
    _soapheaders=[header(Version="3.0", UserID="{user_id}", Pwd="{password}")],
)
for read in reads.body.GetReadingsByMeterNoResult.meterRead:
    print(read.meterNo, read.readingDate, read.posKWh, "kWh and", len(read.readingValues.readingValue), "values")
'''
