"""The memory that is left where this process runs: who takes more than a container may have ends one of its parts."""

from pathlib import Path

# Of the first version of cgroups, then of the second: the limit, what is used, and the files within it that can go.
KINDS = (
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ("", "memory.max", "memory.current", "inactive_file"),
)
ROOT = Path("/sys/fs/cgroup")


def memory_left(root: Path = ROOT, own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return how many bytes this process and its children can still take, None where nothing limits them."""
    left = [
        _left(folder / limit, folder / used, folder / "memory.stat", files)
        for controller, limit, used, files in KINDS
        for folder in {root / controller, *_groups(root / controller, own, controller)}
    ]
    return min((bytes_left for bytes_left in left if bytes_left is not None), default=None)


def _groups(root: Path, own: Path, controller: str) -> list[Path]:
    """Return the folder of this process's group, where the whole tree is to be seen."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    return [root / path.lstrip("/") for _, names, path in lines if controller in names.split(",")]


def _left(limit: Path, used: Path, statistics: Path, files: str) -> int | None:
    try:
        if not (most := limit.read_text().strip()).isdigit():
            return None
        lines = [line.split() for line in statistics.read_text().splitlines()]
        return int(most) - int(used.read_text()) + sum(int(number) for name, number in lines if name == files)
    except (OSError, ValueError):
        return None
