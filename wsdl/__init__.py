"""The published contracts: facts of each MultiSpeak version as `<version>/contract.json`, from which WSDL and XSD are rendered."""

from importlib.resources import files

VERSIONS = ("3.0", "4.1.6")


def contract_text(version: str) -> str:
    """The contract of one MultiSpeak version, JSON as SOURCES.md explains it.

    Raises  LookupError for a version that is not published
    """
    if version not in VERSIONS:
        raise LookupError(f"no contract for MultiSpeak {version}; there are {', '.join(VERSIONS)}")
    return files(__name__).joinpath(version, "contract.json").read_text(encoding="utf-8")
