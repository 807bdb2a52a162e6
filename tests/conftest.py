"""Fixtures that several kinds of tests share: a reactor in a thread of its own, and databases of both kinds."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import create_engine
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from adapters.store.database import parse_url
from adapters.store.migration import migrate
from tests import postgresql

# Hundreds of commands are started: none of them is to compile all of our modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Shared machines stall for longer than hypothesis grants one example.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class RunningReactor:
    """A reactor that runs in its own thread; `wait` calls something on it and blocks for the answer."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.reactor: Any = AsyncioSelectorReactor(self._loop)
        self._thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
        self._thread.start()

    def wait(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What the coroutine or Deferred that `function` returns ends with."""

        async def called() -> Any:
            return await function(*arguments, **named)

        return blockingCallFromThread(self.reactor, lambda: Deferred.fromCoroutine(called()))

    def stop(self) -> None:
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="session")
def running() -> Iterator[RunningReactor]:
    """A reactor in a thread of its own."""
    reactor = RunningReactor()
    yield reactor
    reactor.stop()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """The address of a PostgreSQL server."""
    with postgresql.server() as address:
        yield address


@pytest.fixture
def postgresql_url(postgresql_server: Any) -> Iterator[str]:
    """A new PostgreSQL database."""
    with postgresql.database(postgresql_server) as url:
        yield url.render_as_string(hide_password=False)


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of either kind, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue("postgresql_url"))


def _migrated(url: str) -> None:
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with all tables and nothing in them."""
    file = tmp_path_factory.mktemp("template") / "store.sqlite"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Any) -> Iterator[str]:
    """The same on the PostgreSQL server."""
    with postgresql.database(postgresql_server) as url:
        _migrated(url.render_as_string(hide_password=False))
        yield str(url.database)


@pytest.fixture(params=DATABASES)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database of either kind with all tables: copied, which costs a tenth of making them."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.sqlite")
        yield f"sqlite:///{tmp_path}/store.sqlite"
        return
    template = request.getfixturevalue("postgresql_template")
    with postgresql.database(request.getfixturevalue("postgresql_server"), template) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def store(running: RunningReactor, migrated_url: str, tmp_path: Path) -> Iterator[Any]:
    """An empty store, as `tests.store.world.OpenStore`."""
    from tests.store.world import opened

    one = opened(running, migrated_url, tmp_path / "keys")
    yield one
    one.call("close")


@pytest.fixture
def store_site(store: Any, running: RunningReactor) -> Any:
    """The MultiSpeak site over an empty store, as `tests.fakes.store_site.StoreSite`."""
    from tests.fakes.store_site import StoreSite

    return StoreSite(store, running)
