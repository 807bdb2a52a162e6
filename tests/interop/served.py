"""A head-end process over a store with the small utility of `tests/fakes/reading_world.py`, for clients that are not ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import RunningReactor
from tests.fakes.reading_world import fill
from tests.fakes.store_site import SERVERS
from tests.loopback.processes import running
from tests.loopback.stored import rows_of
from tests.store.world import opened

PAGE_SIZE = 4
HEADER = {"UserID": "cis", "Pwd": "correct horse battery"}

SETTINGS = f"""
[server]
port = 0

[[utilities]]
id = "demo"
name = "Demo Electric"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = {{ port = 0 }}

[[utilities.partners]]
user_id = "{HEADER["UserID"]}"
password = "{HEADER["Pwd"]}"
page_size = {PAGE_SIZE}
notifications = {{ response_networks = ["127.0.0.0/8"] }}
"""


@dataclass(frozen=True)
class Served:
    """Where it is served, and what it stands on."""

    url: str
    database: str
    config: Path

    def addresses(self, version: str) -> dict[str, str]:
        """Where each server is."""
        return {server: f"{self.url}/multispeak/{version}/{server}.asmx" for server in SERVERS}

    def stored(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows that the head-end has stored, read beside it."""
        return rows_of(self.database, statement)


@contextmanager
def served(reactor: RunningReactor, directory: Path) -> Iterator[Served]:
    """`headend serve`, until the tests are over."""
    database = f"sqlite:///{directory}/headend.db"
    store = opened(reactor, database, directory / "headend.key")
    fill(store)
    store.call("close")
    config = directory / "headend.toml"
    config.write_text(SETTINGS)
    with running("serve", "--config", config) as serve:
        url = serve.line_with("MR_Server 3.0").split()[-1].partition("/multispeak/")[0]
        yield Served(url, database, config)


def official_wsdls(version: str) -> dict[str, str]:
    """The standard's WSDL of each server; empty where there are none."""
    reference = os.environ.get("HEADEND_REFERENCE_DIR", "")
    folder = Path(reference) / "contracts" / "official" / version
    return {server: str(folder / f"{server}.wsdl") for server in SERVERS} if reference else {}
