"""Every service is asked what its own description allows and forbids, by schemathesis; it has to keep to it.

Checked are: no status 5xx, only described statuses, media types, headers and bodies, what is valid is accepted, what is
not is refused, methods that are not described are refused, and nothing is answered without a token.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# Seconds of generated requests for each service, after the examples and the edge cases of its description.
FUZZING_S = os.environ.get("VESTIBULE_ATTACK_SECONDS", "")
# Without a time the same requests each time, so that a run says something about a change; with one, others each time.
FUZZING = ("--max-time", FUZZING_S) if FUZZING_S else ("--max-examples", "20", "--seed", "1")
SERVICES = {"client": 0, "database": 1, "business_logic": 2, "scheduler": 3}


@pytest.fixture(scope="module")
def attacked(start_for_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A system that is asked without a token more often than one address may, and that has a form."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text("[forms.contact]\nother_fields = true\n")
    limits = {"VESTIBULE_AUTH_FAILURES_PER_MINUTE": "1000000", "VESTIBULE_SERVICE_TIMEOUT_S": "20"}
    return start_for_module(VESTIBULE_POLICY_FILE=str(policy), **limits)


@pytest.mark.attack
@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_keeps_to_its_description(attacked: Any, tmp_path: Path, service: str) -> None:
    """Schemathesis finds no difference between a service and its OpenAPI description."""
    pytest.importorskip("schemathesis", reason="needs schemathesis (make attack)")
    token = "SECRET_TOKEN" if service == "client" else (attacked.data_dir / "keys" / "service_secret").read_text()
    # One worker: CPython 3.11 cannot parse in two threads at once, which the generator does (python/cpython#106905).
    command = [
        *(Path(sys.executable).parent / "schemathesis", "--no-color", "--config-file", HERE / "schemathesis.toml"),
        *("run", f"{attacked.part_url(SERVICES[service])}/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing", *FUZZING),
        *("--generation-database", "none", "--continue-on-failure"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    assert 0 == ended.returncode, ended.stdout[-20_000:] + ended.stderr[-2_000:]
