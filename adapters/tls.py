"""Certificate files → what a listener needs for HTTPS; a file that cannot be used is named with the reason.

Without a CA for client certificates, one that a client shows is taken as it is: the client has proven to hold its key, and it opens only
where a partner's profile has its fingerprint.
"""

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from headend.errors import RequestError

PEM_OCTETS_MAX = 1_000_000
"""Largest PEM file read, in octets: a few hundred certificates."""


@implementer(IOpenSSLContextFactory)
class ServerTls:
    """TLS 1.2 and newer under our certificate; clients are asked for theirs and may have none."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        ours, *chain = certificates_in(certificate)
        try:
            options = CertificateOptions(privateKey=crypto.PKey.from_cryptography_key(key_in(key)), certificate=ours, extraCertChain=chain)
            self._context = options.getContext()
        except SSL.Error:
            raise RequestError(f"{key} is not the key of the certificate in {certificate}") from None
        self._ask_clients([] if client_ca is None else certificates_in(client_ca))

    def getContext(self) -> SSL.Context:  # noqa: N802 (Twisted's name)
        """The context of every connection."""
        return self._context

    def _ask_clients(self, authorities: list[crypto.X509]) -> None:
        if not authorities:
            self._context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
            return
        store = self._context.get_cert_store()
        assert store is not None, "every context has one"
        for authority in authorities:
            store.add_cert(authority)
        self._context.set_client_ca_list([authority.get_subject() for authority in authorities])
        self._context.set_verify(SSL.VERIFY_PEER)


def certificates_in(file: Path) -> list[crypto.X509]:
    """All certificates of a PEM file, at least one. Raises RequestError."""
    try:
        return [crypto.X509.from_cryptography(one) for one in x509.load_pem_x509_certificates(_octets(file))]
    except ValueError:
        raise RequestError(f"{file} holds no certificate in PEM") from None


def key_in(file: Path) -> Any:
    """The private key of a PEM file. Raises RequestError."""
    try:
        return load_pem_private_key(_octets(file), None)
    except TypeError:
        raise RequestError(f"the key in {file} is encrypted; keep it in the clear and readable by this user only") from None
    except ValueError:
        raise RequestError(f"{file} holds no private key in PEM") from None


def _octets(file: Path) -> bytes:
    try:
        if file.stat().st_size > PEM_OCTETS_MAX:
            raise RequestError(f"{file} is larger than {PEM_OCTETS_MAX} octets")
        return file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from None
