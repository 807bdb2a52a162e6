"""Targets, and inboxes of SFTP servers, as the settings have them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key

from adapters.delivery.directory import DirectoryTarget
from adapters.delivery.encryption import EncryptedTarget
from adapters.delivery.https import HttpsLogin, HttpsTarget
from adapters.delivery.threads import OnThread, on_threads_of
from adapters.delivery.verification import Verify
from headend.delivery_settings import AnyTargetSettings, DirectoryTargetSettings, HttpsTargetSettings, SftpTargetSettings
from headend.errors import RequestError
from headend.model.delivery import FileTarget
from headend.sftp_settings import SftpInboxSettings, SftpLoginSettings

if TYPE_CHECKING:
    from adapters.delivery.sftp_inbox import SftpInbox
    from adapters.delivery.ssh_session import SftpLogin


def build_target(settings: AnyTargetSettings, reactor: Any) -> FileTarget:
    """One target. Raises RequestError for a key, CA or recipient that cannot be used."""
    on_thread = on_threads_of(reactor)
    target = _plain(settings, reactor, on_thread)
    return EncryptedTarget(target, settings.age_recipients, on_thread) if settings.age_recipients else target


def _plain(settings: AnyTargetSettings, reactor: Any, on_thread: OnThread) -> FileTarget:
    match settings:
        case DirectoryTargetSettings():
            return DirectoryTarget(settings.path, on_thread, must_exist=not settings.create)
        case SftpTargetSettings():
            # Conch installs a reactor when it is imported, and a command has its own to install first.
            from adapters.delivery.sftp import SftpTarget  # noqa: PLC0415

            return SftpTarget(_login(settings), settings.directory, reactor, on_thread, Verify(settings.verify))
        case HttpsTargetSettings():
            password, token = settings.password.get_secret_value(), settings.token.get_secret_value()
            web = HttpsLogin(settings.url, settings.user, password, token, settings.ca)
            return HttpsTarget(web, reactor, Verify(settings.verify))
        case _:
            assert_never(settings)


def build_sftp_inbox(settings: SftpInboxSettings, fetched: Path, reactor: Any, now: Callable[[], datetime]) -> "SftpInbox":
    """Who fetches files into the directory `fetched`. Raises RequestError for a key that cannot be used."""
    from adapters.delivery.sftp_inbox import SftpInbox  # noqa: PLC0415 - as above

    is_kept = settings.fetched == "moved"
    return SftpInbox(_login(settings), settings.directory, fetched, reactor, on_threads_of(reactor), now, is_kept=is_kept)


def _login(settings: SftpLoginSettings) -> "SftpLogin":
    from adapters.delivery.ssh_session import SftpLogin  # noqa: PLC0415 - as above

    password, passphrase = settings.password.get_secret_value(), settings.passphrase.get_secret_value()
    key = None if settings.key_file is None else _private_key(settings.key_file, passphrase)
    return SftpLogin(settings.host, settings.port, settings.user, settings.host_keys, password, key)


def _private_key(file: Path, passphrase: str) -> Key:
    try:
        key: Key = Key.fromFile(str(file), passphrase=passphrase or None)
    except EncryptedKeyError:
        raise RequestError(f"the key in {file} is encrypted, and the settings have no passphrase for it, or not this one") from None
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from None
    except (BadKeyError, ValueError):
        raise RequestError(f"{file} holds no private key that SSH knows") from None
    return key
