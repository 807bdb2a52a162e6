"""A directory that is looked at for billing documents: each is moved aside, taken, and kept among the done or the refused."""

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from twisted.logger import Logger

from adapters.billing.desk import BillingDesk, Taken
from adapters.delivery.threads import OnThread
from headend.billing_requests import BadRequestError
from headend.errors import HeadEndError, RequestError

LOOK_SECONDS = 5
"""How often it is looked."""

SETTLED_SECONDS = 2.0
"""How long a file must not have changed before it is taken: whoever writes it may not know of temporary names."""

OCTETS_MAX = 2_000_000_000
"""Largest file taken, in octets: a million items have a fifth of it."""

FILES_PER_LOOK = 100
"""Files taken at one look."""


class BillingInbox:
    """One directory of one utility, whose files are one partner's. Never raises for a file or a directory that cannot be used."""

    log = Logger()

    def __init__(self, directory: Path, partner: str, desk: BillingDesk, on_thread: OnThread, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._partner = partner
        self._desk = desk
        self._on_thread = on_thread
        self._now = now

    async def look(self) -> None:
        """Take what is there."""
        try:
            claimed = await self._on_thread(self._claimed)
        except OSError as error:
            self.log.warn("{inbox} cannot be used: {error}", inbox=self._directory, error=error)
            return
        for file in claimed:
            try:
                await self._take(file)
            except (HeadEndError, OSError) as error:
                # It stays where it is, and is taken at a later look; what was kept of it is not kept twice.
                self.log.warn("{file} not taken yet: {error}", file=file.name, error=error)

    async def _take(self, file: Path) -> None:
        with file.open("rb") as opened:
            try:
                taken = await self._desk.take(opened, self._partner, file.name)
            except RequestError as error:
                bad = error if isinstance(error, BadRequestError) else BadRequestError(0, str(error))
                self.log.warn("{file} refused: {error}", file=file.name, error=bad)
                await self._desk.refuse(re.sub(r"[^A-Za-z0-9._-]", "_", f"x{file.stem}")[1:120] or "file", bad)
                await self._on_thread(self._put_away, file, "refused")
                return
        if isinstance(taken, Taken) and taken.first is not None:
            await self._desk.tell(taken.first)
        await self._on_thread(self._put_away, file, "done")

    def _claimed(self) -> list[Path]:
        """Files that are whole, moved aside; those first that another look left there."""
        working = self._directory / "working"
        working.mkdir(parents=True, exist_ok=True)
        left = sorted(one for one in working.iterdir() if one.is_file())
        for one in sorted(self._directory.iterdir())[: 10 * FILES_PER_LOOK]:
            if len(left) >= FILES_PER_LOOK:
                break
            if self._is_whole(one):
                moved = working / one.name
                one.rename(moved)
                left.append(moved)
        return left

    def _is_whole(self, file: Path) -> bool:
        if file.name.startswith(".") or file.suffix.lower() != ".xml" or not file.is_file():
            return False
        status = file.stat()
        if status.st_size > OCTETS_MAX:
            self.log.warn("{file} has more than {most} octets and is left alone", file=file.name, most=OCTETS_MAX)
            return False
        return self._now().timestamp() - status.st_mtime >= SETTLED_SECONDS

    def _put_away(self, file: Path, where: str) -> None:
        place = self._directory / where
        place.mkdir(exist_ok=True)
        os.replace(file, place / f"{self._now():%Y%m%dT%H%M%S}_{file.name}")
