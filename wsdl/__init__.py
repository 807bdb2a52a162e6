"""The published contracts: facts of each MultiSpeak version as `<version>/contract.json`, from which WSDL and XSD are rendered.

Facts beside the contracts, such as who publishes what, are in files of their own; SOURCES.md explains each.
"""

from importlib.resources import files

VERSIONS = ("3.0", "4.1.6")


def contract_text(version: str) -> str:
    """The contract of one MultiSpeak version, JSON as SOURCES.md explains it.

    Raises  LookupError for a version that is not published
    """
    if version not in VERSIONS:
        raise LookupError(f"no contract for MultiSpeak {version}; there are {', '.join(VERSIONS)}")
    return files(__name__).joinpath(version, "contract.json").read_text(encoding="utf-8")


def deferred_text() -> str:
    """Operations that are answered later, and by what; JSON as SOURCES.md explains it."""
    return files(__name__).joinpath("deferred.json").read_text(encoding="utf-8")


def publications_text() -> str:
    """Notifications that a head-end's servers publish; JSON as SOURCES.md explains it."""
    return files(__name__).joinpath("publications.json").read_text(encoding="utf-8")


EXCHANGES = {
    "urn:open-ami-headend:meter-data:1": "meter-data.xsd",
    "urn:open-ami-headend:manifest:1": "manifest.xsd",
    "urn:open-ami-headend:billing:1": "billing.xsd",
    "urn:open-ami-headend:gas-day:1": "gas-day.xsd",
    "urn:open-ami-headend:events:1": "events.xsd",
    "urn:open-ami-headend:master-data:1": "master-data.xsd",
    "http://iec.ch/TC57/2011/schema/message": "message.xsd",
    "http://iec.ch/TC57/2011/MeterReadings#": "meter-readings.xsd",
}
"""Schemas of the files that are exchanged, in `exports/`, by the namespace of their root element."""


def exchange_schema(namespace: str) -> str:
    """The path of the XSD of a namespace.

    Raises  LookupError for one that is not published
    """
    if namespace not in EXCHANGES:
        raise LookupError(f"no schema for {namespace!r}; there are {', '.join(EXCHANGES)}")
    return str(files(__name__).joinpath("exports", EXCHANGES[namespace]))
