"""Where the program looks for a running system."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("base_port", "port"), [("18620", 18623), ("", 8003), ("no number", 8003)])
def test_the_program_looks_where_up_was_told_to_listen(base_port: str, port: int) -> None:
    """The variable of `vestibule up --base-port` is heeded by what speaks to the system; VESTIBULE_URL and such win."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    code = "from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL as url; print(url)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "VESTIBULE_BASE_PORT": base_port},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"http://127.0.0.1:{port}" == done.stdout.strip()
