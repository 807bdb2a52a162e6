"""Disks that are full or may not be written: said with the file's name, nothing half stored, and as before once there is room."""

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

IMPORTER = """
import os, sys
from pathlib import Path
from headend.errors import StoreError
from tests.conftest import RunningReactor
from tests.store.world import NOW, opened, shipment

directory = Path(sys.argv[1])
store = opened(RunningReactor(), f"sqlite:///{directory}/store.sqlite", directory / "keys")
ballast = directory / "ballast"
ballast.write_bytes(bytes(int(sys.argv[2])))
done = 0
try:
    while True:
        store.call("import_shipment", shipment(500, first=done + 1), NOW)
        done += 500
except StoreError as error:
    print(error)
ballast.unlink()
counts = [store.sql(f"SELECT count(*) FROM {table}")[0][0] for table in ("endpoint", "endpoint_state", "endpoint_key")]
print(done > 0, counts == [done] * 3, store.call("summary").endpoints == done)
if int(sys.argv[2]):
    print(store.call("import_shipment", shipment(500, first=done + 1), NOW))
store.call("close")
"""

OPENER = """
import sys
from pathlib import Path
from headend.errors import StoreError
from tests.conftest import RunningReactor
from tests.store.world import opened

directory = Path(sys.argv[1])
try:
    opened(RunningReactor(), f"sqlite:///{directory}/store.sqlite", directory / "keys")
except StoreError as error:
    print(error)
"""


def in_small_file_system(directory: Path, after_mount: str, script: str, *arguments: str) -> list[str]:
    """Lines that `script` says, run where `directory` is 3 MiB of memory, mounted for it alone.

    `after_mount` is a shell's, with the directory as $0 and the script's command as $@. Skips where this machine lets nobody mount.
    """
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mount = f'mount -t tmpfs -o size=3m tmpfs "$0" && {after_mount} && exec "$@"'
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", directory], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    return said_by([*unshare, "sh", "-c", mount, directory, sys.executable, "-c", script, directory, *arguments])


def said_by(command: list[str | Path], file_octets_max: int = resource.RLIM_INFINITY) -> list[str]:
    """Its lines; fails with what it says where it fails."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_octets_max, file_octets_max))

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False, preexec_fn=limited)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_is_named_and_leaves_whole_endpoints_only(tmp_path: Path) -> None:
    full, whole, after = in_small_file_system(tmp_path, "true", IMPORTER, "500000")
    assert full == f"database sqlite:///{tmp_path}/store.sqlite cannot grow: the disk is full"
    assert whole == "True True True"
    assert after == "500", "with room again, the same process goes on"


def test_a_file_that_may_not_grow_is_named_and_leaves_whole_endpoints_only(tmp_path: Path) -> None:
    refused, whole = said_by([sys.executable, "-c", IMPORTER, tmp_path, "0"], file_octets_max=2_000_000)
    assert refused == f"database sqlite:///{tmp_path}/store.sqlite cannot be read or written: the disk reports an error"
    assert whole == "True True True"


def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    without_keys = in_small_file_system(tmp_path, 'mount -o remount,ro "$0"', OPENER)
    assert without_keys == [f"key file {tmp_path}/keys cannot be created: Read-only file system"]
    key_line = f"{hashlib.sha256(bytes(32)).hexdigest()[:8]} {bytes(32).hex()}"
    key_file = f'(umask 077; printf "headend-key-file 1\\n{key_line}\\n" > "$0/keys")'
    with_keys = in_small_file_system(tmp_path, f'{key_file} && mount -o remount,ro "$0"', OPENER)
    assert with_keys == [
        f"database sqlite:///{tmp_path}/store.sqlite cannot be opened: check that its directory exists and may be written"
    ]
    opened_while_it_might = '"$@" && mount -o remount,ro "$0"'
    assert in_small_file_system(tmp_path, opened_while_it_might, OPENER) == with_keys
