"""The tree of errors that `contracts/errors.py` draws is the tree of its classes."""

import re

from vestibule.contracts import errors

# Four characters a level: `│   ` and `    ` before, `├── ` and `└── ` at the class itself.
DRAWN = re.compile(r"^    ((?:│   |    )*)(?:├── |└── )?([A-Z]\w+)(?:  +\S.*)?$")


def _drawn() -> dict[str, str | None]:
    """Return the drawn classes with their parents."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if (found := DRAWN.match(line)) is None:
            continue
        branch = "├── " in line or "└── " in line
        depth = len(found.group(1)) // 4 + branch
        del path[depth:]
        parents[found.group(2)] = path[-1] if path else None
        path.append(found.group(2))
    return parents


def test_the_drawn_tree_is_the_tree_of_the_classes() -> None:
    """The docstring names each class under its parent, and nothing else."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    expected = {
        kind.__name__: kind.__base__.__name__ if kind is not errors.VestibuleError else None  # type: ignore[union-attr]
        for kind in classes
    }
    assert expected == _drawn()


def test_every_error_says_what_it_is_in_the_drawing() -> None:
    """Each class but the root has a few words beside it."""
    lines = [line for line in (errors.__doc__ or "").splitlines() if "├── " in line or "└── " in line]
    assert [] == [line for line in lines if not re.search(r"── \w+  +\w", line)]
