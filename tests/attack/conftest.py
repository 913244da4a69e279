"""What all attacks share: they run only where they are asked for, against one system that they may not hurt."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# How often each attack is repeated: 1 in CI, more by hand.
TIMES = int(os.environ.get("VESTIBULE_ATTACK_TIMES", "1"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything here, and skip it unless `-m attack` asks for it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.attack)
            item.add_marker(pytest.mark.timeout(600))
            if "attack" not in config.option.markexpr:
                item.add_marker(pytest.mark.skip(reason="needs minutes (make attack)"))


@pytest.fixture(scope="session")
def times() -> int:
    """How often to repeat what is cheap."""
    return TIMES
