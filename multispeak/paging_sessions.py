"""SessionID of lists that take several pages: the same from the first page to the last.

Source  reference/multispeak.md 2, 3
"""

from collections import OrderedDict
from collections.abc import Callable

from multispeak.limits import PAGING_SESSIONS_MAX, SESSION_ID_CHARACTERS_MAX
from multispeak.message_header import Paging

Place = tuple[str, str, str]
"""Partner, operation, and the token its next page begins after."""


class PagingSessions:
    """Which session a page belongs to: the one the caller names, else the one that ended where this page begins, else a new one."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._open: OrderedDict[Place, str] = OrderedDict()

    def session_of(self, user_id: str, operation: str, last_received: str, said: str, paging: Paging) -> str:
        """SessionID of a page; `said` is that of the request's header. An operation whose sessions mean more names its own."""
        session = paging.session_id
        if not session and last_received:
            named = said if len(said) <= SESSION_ID_CHARACTERS_MAX and said.isprintable() else ""
            session = named or self._open.get((user_id, operation, last_received), "")
        session = session or self._new_id()
        if paging.remaining:
            place = (user_id, operation, paging.last_sent)
            self._open[place] = session
            self._open.move_to_end(place)
            if len(self._open) > PAGING_SESSIONS_MAX:
                self._open.popitem(last=False)
        return session
