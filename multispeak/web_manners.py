"""How addresses answer methods: pages to GET and HEAD, what is allowed to OPTIONS, the right refusal to everything else."""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802
# Twisted's web package is only partly typed, and its names are what they are.

from twisted.web.resource import Resource
from twisted.web.server import Request

from multispeak.post_request import PostRequest
from multispeak.service_pages import Page

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
_KNOWN_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"OPTIONS"}
_PAGE_HEADERS = {
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


class Mannered(Resource):
    """A resource that says which methods it takes: 405 for others that HTTP knows, 501 for those it does not."""

    methods: tuple[bytes, ...] = (b"GET", b"HEAD", b"OPTIONS")

    def render(self, request: Request) -> bytes | int:
        """Dispatch by method."""
        if request.method in self.methods:
            answer: bytes | int = super().render(request)
            return answer
        request.setHeader(b"allow", b", ".join(self.methods))
        method = request.method.decode("latin-1")[:40]
        text = f"{method} is not taken here; {', '.join(m.decode() for m in self.methods)} are\n"
        return plain(request, 405 if request.method in _KNOWN_METHODS else 501, text)

    def render_HEAD(self, request: Request) -> bytes:
        """What GET says, without its body."""
        body: bytes = self.render_GET(request)  # type: ignore[attr-defined]  # where it is mixed in there is one
        request.setHeader(b"content-length", str(len(body)).encode())
        return b""

    def render_OPTIONS(self, request: Request) -> bytes:
        """The methods."""
        request.setHeader(b"allow", b", ".join(self.methods))
        return b""


def head(request: Request | PostRequest, status: int, content_type: str) -> None:
    """Begin an answer."""
    request.setResponseCode(status)
    request.setHeader(b"content-type", content_type.encode())


def plain(request: Request, status: int, text: str) -> bytes:
    """A sentence."""
    head(request, status, PLAIN)
    return text.encode()


def shown(request: Request, page: Page) -> bytes:
    """A page for people; browsers are told to load and run nothing that is not in it."""
    head(request, page.status, HTML)
    for name, value in _PAGE_HEADERS.items():
        request.setHeader(name, value)
    return page.octets
