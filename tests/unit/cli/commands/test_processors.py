"""`vestibule processors` lists what can be asked for, and says what is wrong with one's own."""

import json
from pathlib import Path

from typer.testing import CliRunner

from vestibule.cli.main import app

OWN = """
class Reverse:
    name = "reverse"
    description = "Turns the text around."
    examples = (("abc", "cba"),)

    def process(self, data):
        return data[::-1]

PROCESSOR = Reverse()
"""


def test_all_are_listed_and_one_is_described() -> None:
    """With a sentence each; one of them with its options and examples."""
    listed = CliRunner().invoke(app, ["processors"]).stdout
    assert {"chain", "http_forward", "json_pointer", "redact", "uppercase"} <= {
        line.split()[0] for line in listed.splitlines()
    }
    one = CliRunner().invoke(app, ["processors", "json_pointer"]).stdout
    assert "--option pointer=..." in one
    assert 'becomes \'A-1\' with {"pointer": "/orders/0/id"}' in one


def test_programs_get_the_schema_of_the_options() -> None:
    """One object of one, and an array of all."""
    (line,) = CliRunner().invoke(app, ["processors", "json_pointer", "--json"]).stdout.splitlines()
    assert ["pointer"] == json.loads(line)["options"]["required"]
    (line,) = CliRunner().invoke(app, ["processors", "--json"]).stdout.splitlines()
    assert "json_pointer" in [one["name"] for one in json.loads(line)]


def test_detectors_are_listed_as_everything_is() -> None:
    """An array, or a line each with a tab; an example of several lines stays on one."""
    (line,) = CliRunner().invoke(app, ["detectors", "--json"]).stdout.splitlines()
    entities = [one["entity"] for one in json.loads(line)]
    listed = [line.split("\t") for line in CliRunner().invoke(app, ["detectors"]).stdout.splitlines()]
    assert {2} == {len(cells) for cells in listed}
    assert entities == [entity for entity, _ in listed]


def test_ones_own_are_listed_or_refused(tmp_path: Path) -> None:
    """Exit code 1 with file and reason where one cannot be used, 2 for a name that nothing goes by."""
    (tmp_path / "mine.py").write_text(OWN)
    folder = ["--folder", str(tmp_path)]
    assert "'abc' becomes 'cba'" in CliRunner().invoke(app, ["processors", "reverse", *folder]).stdout
    assert 2 == CliRunner().invoke(app, ["processors", "nothing"]).exit_code
    (tmp_path / "mine.py").write_text("PROCESSOR = 5")
    refused = CliRunner().invoke(app, ["processors", *folder])
    assert (1, True) == (refused.exit_code, "mine.py: " in refused.stderr)
