"""Meter keys at rest: what a key file must be, and that nothing but the right one opens anything."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.store.errors import StoreMismatchError
from adapters.store.keys import HEADER, KeyFileError, create_key_file, read_key_file
from headend.errors import StoreError
from tests.conftest import RunningReactor
from tests.store.world import NOW, opened, shipment

KEY = bytes(range(16))


def test_a_new_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="File exists"):
        create_key_file(path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="may be read by others"):
        read_key_file(path, "demo")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not one"),
        ("something else", "is not one"),
        (HEADER, "holds no key"),
        (f"{HEADER}\nabcd", "line 2"),
        (f"{HEADER}\n00000000 {'00' * 32}", "line 2: the key does not match its id"),
        ("\x7fELF\udcff", "is not one"),
    ],
)
def test_what_is_no_key_file_is_refused_without_showing_it(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=complaint) as caught:
        read_key_file(path, "demo")
    assert "00" * 32 not in str(caught.value)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="keys cannot be read: No such file"):
        read_key_file(tmp_path / "keys", "demo")


def test_a_sealed_key_opens_for_its_meter_utility_and_id_only(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    sealer = read_key_file(path, "demo")
    sealed = sealer.seal(KEY, "M1", 1)
    assert KEY not in sealed
    assert sealer.open(sealed, "M1", 1) == KEY
    assert sealer.holds(sealed, KEY, "M1", 1)
    assert not sealer.holds(sealed, bytes(16), "M1", 1)
    for meter_no, key_id, reader in (("M2", 1, sealer), ("M1", 2, sealer), ("M1", 1, read_key_file(path, "other"))):
        with pytest.raises(StoreError, match="damaged or belongs to another"):
            reader.open(sealed, meter_no, key_id)


def test_a_rotated_file_opens_old_keys_and_seals_with_the_new_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    create_key_file(old)
    create_key_file(new)
    sealed = read_key_file(old, "demo").seal(KEY, "M1", 1)
    both = tmp_path / "both"
    both.write_text(old.read_text() + new.read_text().splitlines()[1] + "\n")
    os.chmod(both, 0o600)
    sealer = read_key_file(both, "demo")
    assert sealer.open(sealed, "M1", 1) == KEY
    assert read_key_file(new, "demo").open(sealer.seal(KEY, "M1", 1), "M1", 1) == KEY
    with pytest.raises(StoreMismatchError, match="does not hold"):
        read_key_file(new, "demo").open(sealed, "M1", 1)


def test_no_key_stands_in_the_database_or_in_a_repr(running: RunningReactor, tmp_path: Path) -> None:
    store = opened(running, f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "keys")
    items = [replace(item, key=os.urandom(16)) for item in shipment(5)]
    store.call("import_shipment", items, NOW)
    store.call("close")
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    assert not [item for item in items if item.key in stored]
    secret = (tmp_path / "keys").read_text().split()[-1]
    assert secret not in repr(read_key_file(tmp_path / "keys", "demo"))
    assert bytes.fromhex(secret) not in stored


def test_the_wrong_key_file_is_noticed_when_the_store_is_opened(running: RunningReactor, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    opened(running, url, tmp_path / "keys").call("close")
    with pytest.raises(StoreMismatchError, match="other-keys does not hold"):
        opened(running, url, tmp_path / "other-keys")
