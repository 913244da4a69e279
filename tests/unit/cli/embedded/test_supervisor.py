"""The supervisor with real processes: start, death, stop, and its own sudden end."""

import signal
import time

import redis

from vestibule.cli.embedded.parts import StopStage

# However busy the machine is.
WITHIN_S = 60


def describe(ports: range, habit: str = "", of: str = "client") -> list[str]:
    """Return the usual three stand-ins, one of them with `habit`."""
    stages = {"client": "PUBLIC", "worker1": "WORK", "database": "SERVICES"}
    habits = {of: f":{habit}"} if habit else {}
    return [
        f"{name}:{stage}:{port}{habits.get(name, '')}"
        for (name, stage), port in zip(stages.items(), ports, strict=True)
    ]


def test_killed_part_is_restarted_within_two_seconds(start_system, free_ports, until):
    """A part that is killed for the first time is ready again two seconds later, and one line says so.

    Where the machine is so busy that the first start took longer, the second may too.
    """
    began = time.monotonic()
    system = start_system(*describe(free_ports(3)))
    system.wait_for("ALL READY")
    killed_at = time.monotonic()
    old = system.find("database")
    old.kill()
    until(lambda: "database is ready again" in system.text)
    assert time.monotonic() - killed_at < max(2, 2 * (killed_at - began))
    assert system.find("database").pid != old.pid
    assert "database was killed by SIGKILL; it is restarted at once" in system.text


def test_killed_redis_comes_back_with_its_data(start_system, free_ports, until):
    """What Redis had written to its file when it was killed is there when it is back."""
    system = start_system(*describe(free_ports(3)))
    system.wait_for("ALL READY")
    client = redis.Redis(unix_socket_path=str(system.directory / "redis" / "redis.sock"))
    client.set("kept", "yes")
    assert 1 == client.waitaof(1, 0, 5000)[0]
    system.find("unixsocket:").kill()
    until(lambda: "redis is ready again" in system.text)
    assert b"yes" == client.get("kept")
    client.close()


def test_killed_part_takes_its_children_with_it(start_system, free_ports, until, runs):
    """The children of a part that was killed are gone before it is started again."""
    system = start_system(*describe(free_ports(3), habit="parent-of-one"))
    system.wait_for("ALL READY")
    part = system.find("client")
    (child,) = part.children()
    part.kill()
    until(lambda: "client is ready again" in system.text)
    assert not runs(child)


def test_sigterm_stops_all_in_order_and_soon(start_system, free_ports):
    """SIGTERM ends every part, the entrance first and Redis last, with exit code 0 and nothing left."""
    system = start_system(*describe(free_ports(3)))
    system.wait_for("ALL READY")
    system.descendants()
    asked_at = time.monotonic()
    system.process.send_signal(signal.SIGTERM)
    assert 0 == system.process.wait(WITHIN_S)
    assert time.monotonic() - asked_at < StopStage.SERVICES.value
    assert ["client", "worker1", "database"] == system.ends
    assert [] == system.survivors()
    assert "bye bye" in (system.directory / "logs" / "redis.log").read_text()


def test_stubborn_part_is_killed_within_ten_seconds(start_system, free_ports):
    """A part that does not listen to SIGTERM is killed; the others still end in peace, and the exit code is 0."""
    system = start_system(*describe(free_ports(3), habit="stubborn"))
    system.wait_for("ALL READY")
    system.descendants()
    asked_at = time.monotonic()
    system.process.send_signal(signal.SIGINT)
    assert 0 == system.process.wait(WITHIN_S)
    assert time.monotonic() - asked_at < 10
    assert ["worker1", "database"] == system.ends
    assert [] == system.survivors()


def test_frozen_part_still_ends_in_peace(start_system, free_ports):
    """A part that was frozen by SIGSTOP is let go on to end by itself."""
    system = start_system(*describe(free_ports(3)))
    system.wait_for("ALL READY")
    system.find("database").suspend()
    system.process.send_signal(signal.SIGTERM)
    assert 0 == system.process.wait(WITHIN_S)
    assert ["client", "worker1", "database"] == system.ends


def test_second_ctrl_c_kills_at_once(start_system, free_ports, until):
    """A second Ctrl-C does not wait for anybody, and the exit code tells that it was not a clean stop."""
    system = start_system(*describe(free_ports(3), habit="stubborn", of="database"))
    system.wait_for("ALL READY")
    system.descendants()
    system.process.send_signal(signal.SIGINT)
    system.wait_for("shutting down")
    asked_at = time.monotonic()
    until(lambda: time.monotonic() - asked_at > 0.6)
    system.process.send_signal(signal.SIGINT)
    assert 130 == system.process.wait(WITHIN_S)
    assert time.monotonic() - asked_at < StopStage.SERVICES.value - 1
    assert [] == system.survivors()


def test_killed_supervisor_leaves_no_orphan(start_system, free_ports, until):
    """After kill -9 of the supervisor no process that it started remains, Redis included."""
    system = start_system(*describe(free_ports(3)))
    system.wait_for("ALL READY")
    assert 4 == len(system.descendants())
    system.process.kill()
    system.process.wait()
    until(lambda: not system.survivors())


def test_supervisor_killed_during_the_start_leaves_no_orphan(start_system, free_ports, until):
    """Parts that were still starting when the supervisor was killed end too."""
    system = start_system(*describe(free_ports(3)))
    until(lambda: len(system.descendants()) >= 4)
    system.process.kill()
    system.process.wait()
    until(lambda: not system.survivors())


def test_part_that_cannot_start_fails_the_start(start_system, free_ports):
    """A part that dies again and again before it is ready is named, everything stops, and the exit code is 1."""
    system = start_system(*describe(free_ports(3), habit="broken"))
    system.wait_for("client exited repeatedly before it was ready")
    assert 1 == system.process.wait(WITHIN_S)
    assert "ALL READY" not in system.text


def test_a_part_with_invalid_settings_ends_the_start_at_once(start_system, free_ports):
    """It is not restarted, since they stay invalid, and the exit code is its own."""
    system = start_system(*describe(free_ports(3), habit="misconfigured"))
    system.wait_for("client cannot start: its settings or files are invalid")
    assert 78 == system.process.wait(WITHIN_S)
    assert 1 == system.text.count("client exited with code 78")
    assert "client exited with code 78: its settings or files are invalid; it is not restarted" in system.text


def test_stop_during_the_start(start_system, free_ports, until):
    """Ctrl-C while parts are still starting stops those that have started, with exit code 0."""
    system = start_system(*describe(free_ports(3)))
    until(lambda: len(system.descendants()) >= 3)
    system.process.send_signal(signal.SIGINT)
    assert 0 == system.process.wait(WITHIN_S)
    assert [] == system.survivors()
