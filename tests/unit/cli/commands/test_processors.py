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
    """One JSON object a line."""
    (line,) = CliRunner().invoke(app, ["processors", "json_pointer", "--json"]).stdout.splitlines()
    assert ["pointer"] == json.loads(line)["options"]["required"]


def test_ones_own_are_listed_or_refused(tmp_path: Path) -> None:
    """Exit code 1 with file and reason where one cannot be used, 2 for a name that nothing goes by."""
    (tmp_path / "mine.py").write_text(OWN)
    folder = ["--folder", str(tmp_path)]
    assert "'abc' becomes 'cba'" in CliRunner().invoke(app, ["processors", "reverse", *folder]).stdout
    assert 2 == CliRunner().invoke(app, ["processors", "nothing"]).exit_code
    (tmp_path / "mine.py").write_text("PROCESSOR = 5")
    refused = CliRunner().invoke(app, ["processors", *folder])
    assert (1, True) == (refused.exit_code, "mine.py: " in refused.stderr)
