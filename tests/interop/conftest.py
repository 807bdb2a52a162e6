"""One head-end process for all interoperability tests of a worker."""

from collections.abc import Iterator

import pytest

from tests.conftest import RunningReactor
from tests.interop.served import Served, served


@pytest.fixture(scope="session")
def head_end(running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`headend serve` over a filled store."""
    with served(running, tmp_path_factory.mktemp("served")) as one:
        yield one
