"""HTTP of a self-test: one request, one bounded answer, or one sentence that says why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests

from headend.errors import LinkError
from multispeak.limits import SELFTEST_ANSWER_OCTETS_MAX, SELFTEST_REDIRECTS_MAX

_PIECE_OCTETS = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, and after how many seconds."""

    status: int
    content_type: str
    octets: bytes
    seconds: float
    location: str = ""


class HttpCaller:
    """Calls one after the other over kept connections; no answer is awaited longer than `timeout_seconds` in all."""

    def __init__(
        self, timeout_seconds: float, seconds: Callable[[], float], ca: str = "", certificate: tuple[str, str] | None = None
    ) -> None:
        self._timeout = timeout_seconds
        self._seconds = seconds
        self._session = requests.Session()
        # Proxies and passwords of the environment are nobody's who runs this.
        self._session.trust_env = False
        self._session.max_redirects = SELFTEST_REDIRECTS_MAX
        self._session.verify = ca or True
        self._session.cert = certificate

    def get(self, url: str) -> HttpAnswer:
        """A document. Raises LinkError."""
        return self._call("GET", url, None, {}, follow=True)

    def post(self, url: str, octets: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """A SOAP call; redirects are not followed, they would take the password along. Raises LinkError."""
        return self._call("POST", url, octets, headers, follow=False)

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def _call(self, method: str, url: str, octets: bytes | None, headers: Mapping[str, str], *, follow: bool) -> HttpAnswer:
        began = self._seconds()
        try:
            with self._session.request(
                method, url, data=octets, headers=dict(headers), timeout=self._timeout, allow_redirects=follow, stream=True
            ) as reply:
                body = self._body(reply, began)
                kind, location = reply.headers.get("Content-Type", ""), reply.headers.get("Location", "")
                return HttpAnswer(reply.status_code, kind, body, self._seconds() - began, location)
        except requests.exceptions.Timeout:
            raise LinkError(f"no answer within {self._timeout:g} s") from None
        except requests.exceptions.SSLError as error:
            raise LinkError(f"the TLS handshake failed: {_innermost(error)}") from None
        except requests.exceptions.ConnectionError as error:
            raise LinkError(f"no connection: {_innermost(error)}") from None
        except (requests.exceptions.RequestException, ValueError, OSError) as error:
            raise LinkError(f"no usable HTTP answer: {_innermost(error)}") from None

    def _body(self, reply: requests.Response, began: float) -> bytes:
        pieces, size = [], 0
        for piece in reply.iter_content(_PIECE_OCTETS):
            size += len(piece)
            pieces.append(piece)
            if size > SELFTEST_ANSWER_OCTETS_MAX:
                raise LinkError(f"the answer has more than {SELFTEST_ANSWER_OCTETS_MAX} octets")
            if self._seconds() - began > self._timeout:
                raise LinkError(f"the answer was not complete within {self._timeout:g} s")
        return b"".join(pieces)


def _innermost(error: BaseException) -> str:
    """The last cause in a chain of wrappers, in its own words."""
    seen = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or next((a for a in seen.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException) or inner is seen:
            return f"{type(seen).__name__}: {seen}"[:300] if not str(seen) else str(seen)[:300]
        seen = inner
