"""The TLS client certificate behind a request, read once a connection."""
# mypy: disable-error-code="no-untyped-call"
# Twisted's web package is only partly typed.

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from headend.model.partner import ClientCertificate

_UNREAD = object()


def certificate_of(request: Any) -> ClientCertificate | None:
    """The certificate whose key the client has proven to hold; None over plain HTTP, and where it showed none."""
    channel: Any = request.channel
    found: Any = getattr(channel, "client_certificate", _UNREAD)
    if found is _UNREAD:
        found = channel.client_certificate = _read(getattr(channel, "transport", None))
    certificate: ClientCertificate | None = found
    return certificate


def _read(transport: Any) -> ClientCertificate | None:
    peer = getattr(transport, "getPeerCertificate", None)
    shown = peer() if peer is not None else None
    return None if shown is None else described(shown.to_cryptography())


def described(certificate: x509.Certificate) -> ClientCertificate:
    """What a partner's profile may name of a certificate."""
    return ClientCertificate(certificate.fingerprint(SHA256()).hex(), certificate.subject.rfc4514_string())
