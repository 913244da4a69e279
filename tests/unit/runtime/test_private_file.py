"""Private files are whole, and only their owner's."""

import subprocess
import sys
from pathlib import Path

import pytest

from vestibule.runtime.files import write_private

FULL = """
import resource, sys
from pathlib import Path
from vestibule.runtime.files import write_private
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    write_private(Path(sys.argv[1]), b"x" * 5_000)
except OSError as error:
    print(type(error).__name__)
"""


def test_a_file_is_replaced_and_private(tmp_path: Path) -> None:
    """The second writing replaces the first, whoever could read it before."""
    path = tmp_path / "keys" / "file"
    write_private(path, b"one")
    path.chmod(0o644)
    write_private(path, b"two")
    assert (b"two", 0o600) == (path.read_bytes(), path.stat().st_mode & 0o777)
    assert [path] == list(path.parent.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A writing that fails half-way changes nothing and leaves nothing behind."""
    path = tmp_path / "file"
    write_private(path, b"before")
    ended = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60)
    assert (0, "OSError\n") == (ended.returncode, ended.stdout)
    assert (b"before", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Nobody can have another file overwritten by planting a link."""
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"mine")
    path.symlink_to(victim)
    write_private(path, b"new")
    assert (b"mine", b"new", False) == (victim.read_bytes(), path.read_bytes(), path.is_symlink())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file where the folder should be is reported, not worked around."""
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(OSError, match="keys"):
        write_private(tmp_path / "keys" / "file", b"x")
