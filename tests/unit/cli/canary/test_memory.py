"""How the proof that nothing leaks keeps away from containers in which it does not fit."""

from pathlib import Path

import pytest

from vestibule.cli.canary.memory import memory_left
from vestibule.cli.canary.system import NEEDED_MIB, SystemFailed, refuse_little_memory

MIB = 2**20


@pytest.mark.parametrize("place", ["group", "whole"])
@pytest.mark.parametrize(
    "kind",
    [
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ("", "memory.max", "memory.current", "inactive_file"),
    ],
    ids=["first version", "second version"],
)
def test_the_limit_of_the_container_counts(tmp_path: Path, kind: tuple[str, str, str, str], place: str) -> None:
    """Less what is used, but for files that can go; where the whole tree is shown, that of the own group."""
    controller, limit, used, files = kind
    own = tmp_path / "own"
    own.write_text(f"4:cpu:/elsewhere\n3:{controller}:/pod/part\n")
    folder = tmp_path / controller / ("pod/part" if place == "group" else "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(f"{512 * MIB}\n")
    (folder / used).write_text(f"{200 * MIB}\n")
    (folder / "memory.stat").write_text(f"{files} {30 * MIB}\nother 5\n")
    assert 342 * MIB == memory_left(tmp_path, own)


def test_nothing_limits_where_no_limit_is_said(tmp_path: Path) -> None:
    """Neither a system without cgroups has a limit, nor a group that may take the most."""
    assert memory_left(tmp_path, tmp_path / "none") is None
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_left(tmp_path, tmp_path / "none") is None


def test_it_refuses_where_it_would_not_fit() -> None:
    """Before it starts anything, with the command that works."""
    refuse_little_memory(None)
    refuse_little_memory(NEEDED_MIB * MIB)
    with pytest.raises(SystemFailed, match=r"nothing was started.*podman run --rm localhost/microsvc canary"):
        refuse_little_memory(NEEDED_MIB * MIB - 1)
