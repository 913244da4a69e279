"""What the parts are told."""

import os
import sys
from pathlib import Path

import pytest

from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.parts import Layout, Part, list_parts


def plan(user_environment: dict[str, str], **choices: object) -> dict[str, Part]:
    """Return the parts of an instance by name."""
    layout = Layout(
        **{
            "directory": DataDirectory(Path("/data")),
            "host": "0.0.0.0",
            "base_port": 9100,
            "worker_count": 2,
            "concurrency": 3,
            "has_business_logic": True,
            "redis_url": "unix:///data/redis/redis.sock",
            **choices,
        }
    )
    return {part.name: part for part in list_parts(layout, user_environment)}


def test_every_part_is_planned():
    """Four services and the workers are started, each by its command."""
    parts = plan({})
    assert ["client", "database", "business-logic", "scheduler", "worker1", "worker2"] == list(parts)
    assert (sys.executable, "-m", "vestibule", "serve", "business-logic") == parts["business-logic"].command
    expected = (sys.executable, "-m", "vestibule", "worker", "--name", "worker2", "--concurrency", "3")
    assert expected == parts["worker2"].command


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("client", "0.0.0.0", "9100"),
        ("database", "127.0.0.1", "9101"),
        ("business-logic", "127.0.0.1", "9102"),
        ("scheduler", "127.0.0.1", "9103"),
    ],
)
def test_only_the_client_listens_where_the_user_says(name, host, port):
    """The client service listens on the chosen host, the others on loopback, each on its port."""
    environment = plan({})[name].environment
    assert (host, port) == (environment["VESTIBULE_HOST"], environment["VESTIBULE_PORT"])


def test_parts_know_where_everything_is():
    """Every part is told the data directory, the other services, Redis, the secret and whom to end with."""
    environment = plan({})["worker1"].environment
    expected = {
        "VESTIBULE_EMBEDDED": "1",
        "VESTIBULE_SHUTDOWN_DRAIN_S": "0",
        "VESTIBULE_PARENT_PID": str(os.getpid()),
        "VESTIBULE_DATA_DIR": "/data",
        "VESTIBULE_CLIENT_SERVICE_URL": "http://127.0.0.1:9100",
        "VESTIBULE_DATABASE_SERVICE_URL": "http://127.0.0.1:9101",
        "VESTIBULE_BUSINESS_LOGIC_URL": "http://127.0.0.1:9102",
        "VESTIBULE_REDIS_URL": "unix:///data/redis/redis.sock",
        "VESTIBULE_SERVICE_SECRET_FILE": "/data/keys/service_secret",
    }
    assert expected == environment


def test_users_settings_pass_through():
    """What the user set reaches the parts, except where the instance's own layout decides."""
    environment = plan({"VESTIBULE_LOG_LEVEL": "debug", "VESTIBULE_PORT": "1", "PATH": "/bin"})["client"].environment
    assert ("debug", "9100", "/bin") == tuple(environment[f] for f in ("VESTIBULE_LOG_LEVEL", "VESTIBULE_PORT", "PATH"))


def test_business_logic_can_be_left_out():
    """Without it no such part is started, and the others know."""
    parts = plan({}, has_business_logic=False)
    assert "business-logic" not in parts
    assert "" == parts["client"].environment["VESTIBULE_BUSINESS_LOGIC_URL"]
