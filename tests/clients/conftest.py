"""Generated clients are made and used only where that is asked for: the generators are installed apart."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything here, and skip it unless `-m clients` asks for it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.clients)
            if "clients" not in config.option.markexpr:
                item.add_marker(pytest.mark.skip(reason="generates clients (make test-clients)"))
