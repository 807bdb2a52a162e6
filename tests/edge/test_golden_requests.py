"""The golden requests, as client stacks and software in the field send them, are answered as their manifest says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.conftest import RunningReactor
from tests.fakes.reading_world import NOW, fill
from tests.fakes.soap_world import ENVELOPES, PASSWORD, fault_of
from tests.fakes.store_site import StoreSite, schema_of
from tests.store.world import opened

REQUESTS = Path(__file__).parents[1] / "golden" / "soap" / "requests"
MANIFEST: list[dict[str, Any]] = json.loads((REQUESTS / "manifest.json").read_text())
WITHOUT_PASSWORD = 'Pwd="…"'


@pytest.fixture(scope="module")
def site(running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSite]:
    directory = tmp_path_factory.mktemp("golden")
    store = opened(running, f"sqlite:///{directory}/store.sqlite", directory / "keys")
    fill(store)
    one = StoreSite(store, running)
    one.now = NOW
    yield one
    store.call("close")


def test_the_manifest_lists_every_request() -> None:
    assert [row["file"] for row in MANIFEST] == sorted(path.name for path in REQUESTS.glob("*.xml"))


@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: row["file"])
def test_a_golden_request_is_answered_as_listed(site: StoreSite, row: dict[str, Any]) -> None:
    text = (REQUESTS / row["file"]).read_text()
    assert WITHOUT_PASSWORD in text
    octets = text.replace(WITHOUT_PASSWORD, f'Pwd="{PASSWORD}"').encode()
    root = etree.fromstring(octets)
    body = root.find("{*}Body")
    assert body is not None
    schema = schema_of(row["version"], row["server"])
    schema.validate(body[0])
    assert len(schema.error_log) == row["schema_errors"], schema.error_log
    soap = "1.2" if root.tag.startswith(f"{{{ENVELOPES['1.2']}}}") else "1.1"
    answer = site.send(row["version"], row["server"], octets, soap=soap)
    fault = answer.find("{*}Body/{*}Fault")
    assert ("answered" if fault is None else fault_of(etree.tostring(answer))[0]) == row["verdict"]
    assert sorted(error.get("objectID", "") for error in answer.iter("{*}errorObject")) == row["refused"]
