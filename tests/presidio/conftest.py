"""The comparison with Presidio itself runs only where that is asked for: it is installed apart."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything here, and skip it unless `-m presidio` asks for it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.presidio)
            if "presidio" not in config.option.markexpr:
                item.add_marker(pytest.mark.skip(reason="compares with Presidio (make test-presidio)"))
