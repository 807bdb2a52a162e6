"""A store of either kind, opened and closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningReactor
from tests.store.world import OpenStore, opened


@pytest.fixture
def store(running: RunningReactor, database_url: str, tmp_path: Path) -> Iterator[OpenStore]:
    """An empty store."""
    one = opened(running, database_url, tmp_path / "keys")
    yield one
    one.call("close")
