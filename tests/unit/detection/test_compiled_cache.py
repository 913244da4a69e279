"""The folder of compiled gates does not grow with every version, and loses nothing that is in use."""

import multiprocessing
import os
import time
from pathlib import Path

from vestibule.detection import DetectionSettings, Scanner
from vestibule.detection.compiled_cache import MAX_UNUSED_S, CompiledCache

DATABASE = b"compiled" * 10_000
FORK = multiprocessing.get_context("fork")
FINGERPRINTS = [bytes([number]) for number in range(20)]


def age(path: Path, age_s: float) -> None:
    """Let a file be last used `age_s` ago."""
    used_at = time.time() - age_s
    os.utime(path, (used_at, used_at))


def scan_in(folder: Path) -> list[str]:
    """Start a scanner that keeps its gates in `folder`, and return what it finds."""
    scanner = Scanner.from_settings(DetectionSettings(cache_dir=folder, entities=frozenset({"EMAIL_ADDRESS"})))
    return [finding.entity for finding in scanner.scan("ada@example.com")]


def test_a_start_removes_what_no_start_has_used_for_long(tmp_path: Path) -> None:
    """Prefilters of older versions go, and halves of files that a process died over; what others put there stays."""
    old = [tmp_path / name for name in (f"prefilter-{'0' * 32}.bin", "prefilter-x1_y2z3.part")]
    kept = [
        tmp_path / name for name in (f"prefilter-{'1' * 32}.bin", "prefilter-of-others.bin", "notes.part", "tmp1234")
    ]
    for path in (*old, *kept):
        path.write_bytes(b"")
    for path in (*old, *kept[1:]):
        age(path, MAX_UNUSED_S + 60)
    assert ["EMAIL_ADDRESS"] == scan_in(tmp_path)
    assert [] == [path.name for path in old if path.exists()]
    assert [] == [path.name for path in kept if not path.exists()]


def test_what_a_start_uses_stays(tmp_path: Path) -> None:
    """However long ago a gate was compiled, its use counts: the next start need not compile it."""
    scan_in(tmp_path)
    made = sorted(tmp_path.iterdir())
    for path in made:
        age(path, MAX_UNUSED_S + 60)
    before = [path.stat().st_ino for path in made]
    scan_in(tmp_path)
    assert made == sorted(tmp_path.iterdir())
    assert before == [path.stat().st_ino for path in made]
    assert all(time.time() - path.stat().st_mtime < MAX_UNUSED_S for path in made)


def test_a_folder_that_may_not_be_written_to_is_no_error(tmp_path: Path) -> None:
    """What is there is used; nothing can be added, marked as used or removed, and nobody minds."""
    CompiledCache(tmp_path).save(b"kept", DATABASE)
    (kept,) = tmp_path.iterdir()
    kept.chmod(0o444)
    age(kept, MAX_UNUSED_S + 60)
    tmp_path.chmod(0o555)
    process = FORK.Process(target=_use_as_a_guest, args=(tmp_path,))
    process.start()
    process.join(60)
    assert 0 == process.exitcode
    assert [kept] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    """Where a file stands in the place of the folder, each start compiles anew."""
    (tmp_path / "file").write_text("")
    assert ["EMAIL_ADDRESS"] == scan_in(tmp_path / "file" / "cache")


def test_many_processes_clear_load_and_save_at_once(tmp_path: Path) -> None:
    """Whoever loads gets a whole gate or none, and nobody fails because another was faster."""
    processes = [FORK.Process(target=_use, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [0, 0, 0, 0] == [process.exitcode for process in processes]
    assert [] == list(tmp_path.glob("*.part"))


def _use(folder: Path) -> None:
    cache = CompiledCache(folder)
    for number in range(60):
        fingerprint = FINGERPRINTS[number % len(FINGERPRINTS)]
        assert cache.load(fingerprint) in {None, DATABASE}
        cache.save(fingerprint, DATABASE)
        for path in folder.glob("prefilter-*0*.bin"):
            try:
                age(path, MAX_UNUSED_S + 60)
            except FileNotFoundError:
                continue
        cache.clear_unused()


def _use_as_a_guest(folder: Path) -> None:
    os.chdir(folder)  # the folders above it may be closed to the account below
    if os.geteuid() == 0:
        os.setuid(65_534)
    cache = CompiledCache(Path())
    assert cache.load(b"kept") == DATABASE
    cache.save(b"new", DATABASE)
    cache.clear_unused()
