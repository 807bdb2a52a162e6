"""How a partner's HTTPS servers are believed, and the certificate that we show them: what Twisted's client asks for each connection.

By default a server must have a certificate for its name from an authority that is trusted. One that is pinned is believed by its
fingerprint alone: that says more than any authority, and lets a self-signed one be used whose name is none.
"""

from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from adapters.tls import certificates_in, key_in
from headend.errors import RequestError
from headend.model.partner import PeerTls


@implementer(IPolicyForHTTPS)
class PeerPolicy:
    """What makes the TLS side of connections to one partner's servers. Raises RequestError naming a file that cannot be used."""

    def __init__(self, tls: PeerTls) -> None:
        self._ours = _our_side(tls)
        self._pinned = tls.sha256
        authorities = [] if tls.ca_file is None else certificates_in(tls.ca_file)
        self._trust = trustRootFromCertificates([Certificate(one) for one in authorities]) if authorities else platformTrust()
        # Whether key and certificate belong together is found out when a context is made of them: now rather than at the first call.
        try:
            self._context = CertificateOptions(**self._ours).getContext()
        except SSL.Error:
            raise RequestError(f"{tls.key_file} is not the key of the certificate in {tls.certificate_file}") from None

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:  # noqa: N802 (Twisted's name)
        """See IPolicyForHTTPS."""
        name = hostname.decode("ascii")
        if self._pinned:
            return _PinnedConnections(self._context, name, self._pinned)
        return optionsForClientTLS(name, trustRoot=self._trust, extraCertificateOptions=self._ours)


def _our_side(tls: PeerTls) -> dict[str, Any]:
    """Our certificate as options of a context; none where we have none to show."""
    if tls.certificate_file is None or tls.key_file is None:
        return {}
    ours, *chain = (one.to_cryptography() for one in certificates_in(tls.certificate_file))
    return {"privateKey": key_in(tls.key_file), "certificate": ours, "extraCertChain": chain}


@implementer(IOpenSSLClientConnectionCreator)
class _PinnedConnections:
    """Connections to the one server whose certificate has a fingerprint."""

    def __init__(self, context: SSL.Context, hostname: str, sha256: str) -> None:
        self._context = context
        self._hostname = hostname
        self._sha256 = sha256
        context.set_verify(SSL.VERIFY_PEER, self._is_believed)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802, N803 (Twisted's names)
        """See IOpenSSLClientConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        if not self._hostname.replace(".", "").isdigit() and ":" not in self._hostname:
            connection.set_tlsext_host_name(self._hostname.encode("ascii"))
        return connection

    def _is_believed(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, fine: int) -> bool:
        """Asked for every certificate of the chain and every doubt about it; the server's own, at depth 0, decides."""
        return depth > 0 or certificate.to_cryptography().fingerprint(SHA256()).hex() == self._sha256
