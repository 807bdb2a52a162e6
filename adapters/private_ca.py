"""A private certificate authority and what it signs, for a head-end that no public CA knows: certificates of servers and of clients.

Keys are ECDSA P-256; files are PEM, keys readable by their owner only. An authority that stands in its directory is used again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headend.errors import RequestError

AUTHORITY_DAYS, CERTIFICATE_DAYS = 3_650, 825
"""How long an authority and what it signs are valid: ten years, and the most that strict clients accept of a server."""

_CLOCK_SKEW = timedelta(hours=1)
"""Valid from a little before now: clocks of others may be behind."""


@dataclass(frozen=True, slots=True)
class Issued:
    """The files of one certificate, and the SHA-256 fingerprint that a partner's profile may name."""

    certificate: Path
    key: Path
    sha256: str


class PrivateAuthority:
    """The CA whose certificate and key stand in a directory as ca.pem and ca.key."""

    def __init__(self, directory: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._directory = directory
        self._certificate = certificate
        self._key = key

    @property
    def file(self) -> Path:
        """The certificate that clients are to trust."""
        return self._directory / "ca.pem"

    @classmethod
    def in_directory(cls, directory: Path, name: str, now: datetime) -> "PrivateAuthority":
        """The authority of a directory, made there where there is none. Raises RequestError naming a file that cannot be used."""
        certificate_file, key_file = directory / "ca.pem", directory / "ca.key"
        try:
            if not key_file.exists():
                directory.mkdir(parents=True, exist_ok=True)
                return cls._new(directory, name, now)
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            key = load_pem_private_key(key_file.read_bytes(), None)
        except (ValueError, TypeError):
            raise RequestError(f"{certificate_file} and {key_file} are no authority of this command") from None
        except OSError as error:
            raise RequestError(f"{error.filename}: {error.strerror}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise RequestError(f"{key_file} is not the key of {certificate_file}")
        return cls(directory, certificate, key)

    @classmethod
    def _new(cls, directory: Path, name: str, now: datetime) -> "PrivateAuthority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _draft(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, SHA256())
        )
        _write(directory / "ca.key", _pem_of(key), private=True)
        _write(directory / "ca.pem", certificate.public_bytes(Encoding.PEM))
        return cls(directory, certificate, key)

    def issue_server(self, file_name: str, hosts: Sequence[str], now: datetime) -> Issued:
        """A certificate for a server that clients reach under these names and addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(file_name, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names, now)

    def issue_client(self, file_name: str, name: str, now: datetime) -> Issued:
        """A certificate with which a partner's software shows who it is."""
        return self._issue(file_name, name, ExtendedKeyUsageOID.CLIENT_AUTH, None, now)

    def _issue(
        self, file_name: str, name: str, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None, now: datetime
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        draft = (
            _draft(_named(name), self._certificate.subject, key.public_key(), now, CERTIFICATE_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names is not None:
            draft = draft.add_extension(names, critical=False)
        certificate = draft.sign(self._key, SHA256())
        issued = Issued(self._directory / f"{file_name}.pem", self._directory / f"{file_name}.key", certificate.fingerprint(SHA256()).hex())
        try:
            _write(issued.key, _pem_of(key), private=True)
            _write(issued.certificate, certificate.public_bytes(Encoding.PEM))
        except OSError as error:
            raise RequestError(f"{error.filename}: {error.strerror}") from None
        return issued


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError:
        raise RequestError(f"{name[:80]!r} cannot be the name in a certificate: 1 to 64 characters") from None


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise RequestError(f"{host[:80]!r} is neither an IP address nor a name that a certificate can hold") from None


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, octets: bytes, *, private: bool = False) -> None:
    """A key never replaces another: whoever relies on that one would be locked out."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if private else os.O_TRUNC)
    with os.fdopen(os.open(file, flags, 0o600 if private else 0o644), "wb") as stream:
        stream.write(octets)
