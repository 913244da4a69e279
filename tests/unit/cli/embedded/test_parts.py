"""What the parts are told."""

import os
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.parts import SECRET_SETTINGS, Layout, Part, list_parts, usual_client_processes
from vestibule.client_service.settings import ClientSettings, WorkerSettings
from vestibule.console.settings import ConsoleSettings
from vestibule.database_service.settings import DatabaseSettings
from vestibule.scheduler_service.settings import SchedulerSettings

# All settings of detection as one, its fingerprint key among them.
GROUP = "VESTIBULE_DETECTION"
SETTINGS = {
    "client": ClientSettings,
    "database": DatabaseSettings,
    "business-logic": BusinessLogicSettings,
    "scheduler": SchedulerSettings,
    "console": ConsoleSettings,
    "worker": WorkerSettings,
}


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
    """Five services and the workers are started, each by its command."""
    parts = plan({})
    assert ["client", "database", "business-logic", "scheduler", "console", "worker1", "worker2"] == list(parts)
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
        ("console", "127.0.0.1", "9104"),
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
        "VESTIBULE_SCHEDULER_URL": "http://127.0.0.1:9103",
        "VESTIBULE_CONSOLE_SERVICE_URL": "http://127.0.0.1:9104",
        "VESTIBULE_REDIS_URL": "unix:///data/redis/redis.sock",
        "VESTIBULE_CLIENT_PROCESSES": "1",
        "VESTIBULE_SERVICE_SECRET_FILE": "/data/keys/service_secret",
        "VESTIBULE_CONSOLE_URL": "http://127.0.0.1:9104",
    }
    assert expected == environment


def test_the_client_service_has_a_process_for_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most four, of the cores that this program may use, and one where a fork is not safe."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert 4 == usual_client_processes()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(5)), raising=False)
    assert 2 == usual_client_processes()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {7}, raising=False)
    assert 1 == usual_client_processes()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert 1 == usual_client_processes()


def test_notifications_link_to_the_console_that_runs():
    """Without one there is no address, and an address of the user's own stays."""
    assert "VESTIBULE_CONSOLE_URL" not in plan({}, has_console=False)["client"].environment
    own = {"VESTIBULE_CONSOLE_URL": "https://console.example.org"}
    assert own.items() <= plan(own)["worker1"].environment.items()


def test_users_settings_pass_through():
    """What the user set reaches the parts, except where the instance's own layout decides."""
    environment = plan({"VESTIBULE_LOG_LEVEL": "debug", "VESTIBULE_PORT": "1", "PATH": "/bin"})["client"].environment
    assert ("debug", "9100", "/bin") == tuple(environment[f] for f in ("VESTIBULE_LOG_LEVEL", "VESTIBULE_PORT", "PATH"))


def test_the_console_can_be_left_out():
    """Without it no such part is started, and the scheduler does not look for it."""
    parts = plan({}, has_console=False)
    assert "console" not in parts
    assert "" == parts["scheduler"].environment["VESTIBULE_CONSOLE_SERVICE_URL"]


def test_business_logic_can_be_left_out():
    """Without it no such part is started, and the others know."""
    parts = plan({}, has_business_logic=False)
    assert "business-logic" not in parts
    assert "" == parts["client"].environment["VESTIBULE_BUSINESS_LOGIC_URL"]


def test_each_part_gets_its_own_secrets_alone():
    """A setting that can hold a secret reaches the parts that use it, in either case; all others reach every part."""
    parts = plan({**dict.fromkeys(SECRET_SETTINGS, "s"), "vestibule_callback_secret": "s", "LANG": "C", GROUP: "{}"})
    kinds = {name: "worker" if name.startswith("worker") else name for name in parts}
    expected = {
        name: {setting for setting, users in SECRET_SETTINGS.items() if kind in users} for name, kind in kinds.items()
    }
    assert expected == {name: part.environment.keys() & SECRET_SETTINGS.keys() for name, part in parts.items()}
    assert ["client"] == [name for name, part in parts.items() if "vestibule_callback_secret" in part.environment]
    assert {"database", "console"} == {name for name, part in parts.items() if GROUP not in part.environment}
    assert {"C"} == {part.environment["LANG"] for part in parts.values()}


def test_only_the_database_service_gets_what_its_drivers_read():
    """The credentials of PostgreSQL and AWS are in the environment under names that are not Vestibule's."""
    names = {"PGPASSWORD", "PGPASSFILE", "PGSSLKEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"}
    parts = plan(dict.fromkeys(names, "s"))
    assert {"database": names} == {
        name: got for name, part in parts.items() if (got := part.environment.keys() & names)
    }


def test_addresses_with_a_password_are_secrets():
    """The address of an Alertmanager may have credentials, and workers send no notifications."""
    parts = plan({"VESTIBULE_ALERT_ALERTMANAGER_URL": "http://user:password@alerts.internal"})
    without = {name for name, part in parts.items() if "VESTIBULE_ALERT_ALERTMANAGER_URL" not in part.environment}
    assert {"console", "worker1", "worker2"} == without


def _secrets_of(model: type[BaseModel], prefix: str = "VESTIBULE_") -> set[str]:
    found = set()
    for name, info in model.model_fields.items():
        default = info.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, BaseModel):
            found |= _secrets_of(type(default), f"{prefix}{name.upper()}__")
        elif "SecretStr" in str(info.annotation):
            found.add(f"{prefix}{name.upper()}")
    return found


def test_every_secret_setting_is_known():
    """A new one has to say which parts use it, and these must declare it."""
    declared = {kind: _secrets_of(model) for kind, model in SETTINGS.items()}
    assert set().union(*declared.values()) <= SECRET_SETTINGS.keys()
    for setting, users in SECRET_SETTINGS.items():
        name = setting.removeprefix("VESTIBULE_").partition("__")[0].lower()
        assert users <= {kind for kind, model in SETTINGS.items() if name in model.model_fields}
