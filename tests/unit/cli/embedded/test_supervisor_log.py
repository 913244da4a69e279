"""The last lines of a part that does not start."""

from pathlib import Path

from vestibule.cli.embedded.parts import Part, StopStage
from vestibule.cli.embedded.readiness import FileReadiness
from vestibule.cli.embedded.supervisor_log import last_log_lines


def part(name: str, log: Path | None = None) -> Part:
    """Return a part of that name."""
    return Part(name, ("true",), FileReadiness(Path("/nowhere")), StopStage.WORK, log=log)


def test_lines_of_the_part_alone(tmp_path):
    """Of the common log only the part's own lines are shown, the last ten, and a torn line does no harm."""
    log = tmp_path / "app.log"
    lines = [f'{{"service":"business_logic","event":"{n}"}}' for n in range(12)]
    log.write_text("\n".join(['{"service":"client"}', "[]", "{torn", *lines]))
    assert lines[2:] == last_log_lines(part("business-logic"), log)


def test_part_with_a_log_of_its_own(tmp_path):
    """A part that has its own log is quoted from there."""
    own = tmp_path / "redis.log"
    own.write_text("one\ntwo\n")
    assert ["one", "two"] == last_log_lines(part("redis", own), tmp_path / "app.log")


def test_no_log_at_all(tmp_path):
    """Where there is no log there are no lines."""
    assert [] == last_log_lines(part("client"), tmp_path / "app.log")
