"""The data directory: made, locked, refused."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vestibule.cli.embedded.data_directory import (
    DataDirectory,
    DataDirectoryInUse,
    DataDirectoryUnusable,
    ensure_key_ring,
    ensure_secrets,
    lock_data_directory,
    prepare_data_directory,
)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """A prepared data directory."""
    directory = DataDirectory(tmp_path / "deep" / "data")
    prepare_data_directory(directory)
    return directory


def mode_of(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_is_for_its_owner_alone(directory):
    """The directory and all its folders can be read by their owner only."""
    names = {"logs", "error_reports", "keys", "redis", "run"}
    assert names == {path.name for path in directory.path.iterdir()}
    assert {0o700} == {mode_of(path) for path in (directory.path, *directory.path.iterdir())}


@pytest.mark.parametrize("path", ["/proc/vestibule", "/dev/null/data"])
def test_unusable_directory_is_refused(path):
    """A place that cannot hold a directory is refused with exit code 78 and its name."""
    with pytest.raises(DataDirectoryUnusable, match=path) as refusal:
        prepare_data_directory(DataDirectory(Path(path)))
    assert 78 == refusal.value.exit_code


def test_file_in_place_of_a_folder_is_refused(tmp_path):
    """A file where a folder should be is named."""
    (tmp_path / "logs").touch()
    with pytest.raises(DataDirectoryUnusable, match="logs"):
        prepare_data_directory(DataDirectory(tmp_path))


def test_second_instance_is_refused(directory):
    """While the lock is held nobody else gets it, and the refusal names the holder; afterwards it is free."""
    with lock_data_directory(directory), pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"):
        lock_data_directory(directory)
    lock_data_directory(directory).close()


def test_secret_is_made_once(directory):
    """The secret has 256 bits, is for its owner alone, and stays the same."""
    ensure_secrets(directory)
    secret = directory.service_secret_file.read_text()
    ensure_secrets(directory)
    assert secret == directory.service_secret_file.read_text()
    assert 43 == len(secret)
    assert 0o600 == mode_of(directory.service_secret_file)


def test_secret_is_never_half_written(directory):
    """A reader that looks all the time sees no secret or a whole one."""

    def read() -> set[int]:
        lengths = set()
        while 43 not in lengths:
            if directory.service_secret_file.exists():
                lengths.add(len(directory.service_secret_file.read_text()))
        return lengths

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        ensure_secrets(directory)
        assert {43} == reading.result(timeout=60)


def test_secret_that_others_could_read_is_closed(directory):
    """A secret that was left open to others is closed."""
    directory.service_secret_file.write_text("x" * 43)
    directory.service_secret_file.chmod(0o644)
    ensure_secrets(directory)
    assert 0o600 == mode_of(directory.service_secret_file)


def test_key_ring_is_made_once(directory):
    """The ring is made at the first start, for its owner alone, and stays the same."""
    ensure_key_ring(directory)
    ring = directory.key_ring_file.read_bytes()
    directory.key_ring_file.chmod(0o644)
    ensure_key_ring(directory)
    assert ring == directory.key_ring_file.read_bytes()
    assert 0o600 == mode_of(directory.key_ring_file)


def test_no_new_ring_takes_the_place_of_a_lost_one(directory):
    """Where there are values that a new ring could not open, the start is refused with what to do."""
    directory.database_file.write_bytes(b"sealed")
    with pytest.raises(
        DataDirectoryUnusable, match=r"the key ring .*keyring\.json is missing.* restore the key ring"
    ) as refusal:
        ensure_key_ring(directory)
    assert 78 == refusal.value.exit_code
    assert not directory.key_ring_file.exists()
