"""What is printed at the end of the start."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from vestibule.cli.embedded.banner import curl_and_wait, render_banner, try_lines
from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.parts import Layout

LAYOUT = Layout(
    directory=DataDirectory(Path("/data")),
    host="127.0.0.1",
    base_port=9100,
    worker_count=2,
    concurrency=2,
    has_business_logic=True,
    redis_url="",
)


def test_announcement_names_every_place():
    """Every service, the log, the reports and the three lines are there, and the token's limits."""
    text = render_banner(LAYOUT, 2.34, "SECRET_TOKEN")
    for place in ("http://127.0.0.1:9100", ":9101", ":9102", ":9103", "/data/logs/app.log", "/data/error_reports"):
        assert place in text
    assert 3 == len([line for line in text.splitlines() if line.startswith("curl ")])
    assert "vestibule run test1 --wait 10" == try_lines("http://127.0.0.1:9100", "SECRET_TOKEN")[2]
    assert "\n".join(try_lines("http://127.0.0.1:9100", "SECRET_TOKEN")) in text
    assert "loopback" in text


def test_an_instance_of_its_own_says_how_the_program_finds_it():
    """Where the ports are not the usual ones the variables to set are named; else nothing needs to be set."""
    assert "export VESTIBULE_BASE_PORT=9100 VESTIBULE_DATA_DIR=/data\n" in render_banner(LAYOUT, 1, "SECRET_TOKEN")
    assert "export" not in render_banner(replace(LAYOUT, base_port=8000), 1, "SECRET_TOKEN")
    own_token = render_banner(replace(LAYOUT, base_port=8000), 1, "$VESTIBULE_DEV_TOKEN")
    assert 'export VESTIBULE_TOKEN="$VESTIBULE_DEV_TOKEN"\n' in own_token


def test_service_that_was_left_out_is_not_announced():
    """Without the business logic service its address is not shown."""
    assert ":9102" not in render_banner(replace(LAYOUT, has_business_logic=False), 1, "SECRET_TOKEN")


@pytest.mark.parametrize("separator", ["", " "])
def test_last_line_takes_the_task_id_out_of_the_answer(tmp_path, separator):
    """The last line asks for the very task that it started, however the JSON is spaced."""
    answer = f'{{"task_id":{separator}"abc-123",{separator}"status_url":{separator}"/tasks/abc-123"}}'
    curl = tmp_path / "curl"
    # The stand-in answers a POST as /run does, and tells which address a GET is for.
    curl.write_text(f"""#!/bin/sh\ncase "$*" in *POST*) printf '%s' '{answer}';; *) printf '%s\\n' "$2";; esac\n""")
    curl.chmod(0o755)
    line = curl_and_wait("http://127.0.0.1:9100", "SECRET_TOKEN")
    path = f"{tmp_path}:{Path(shutil.which('sed') or '/usr/bin/sed').parent}:/usr/bin:/bin"
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env={"PATH": path}).stdout.strip()
    assert "http://127.0.0.1:9100/tasks/abc-123?wait=10" == said
    assert "abc-123" == json.loads(answer)["task_id"]
