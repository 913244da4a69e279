"""`vestibule rules`, as somebody runs it who has rules of another program."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app

GITLEAKS = """
[[rules]]
id = "acme-key"
regex = '''acme_([a-z0-9]{8})'''
keywords = ["acme"]
[[rules]]
id = "key-files"
path = '''key$'''
"""


def run(*arguments: object, code: int = 0, given: str | None = None) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)], input=given)
    assert code == result.exit_code, result.output
    return str(result.output)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A file of gitleaks."""
    file = tmp_path / "gitleaks.toml"
    file.write_text(GITLEAKS)
    return file


def test_rules_are_taken_over_and_used(rules: Path, tmp_path: Path) -> None:
    """From the file of another program to a scan with its rules; a file that is there is kept."""
    folder = tmp_path / "detectors"
    folder.mkdir()
    output = folder / "gitleaks.toml"
    lines = run("rules", "import", rules).splitlines()
    assert ["acme-key\ttaken\tACME_KEY\t", "key-files\trefused\t\t"] == [
        lines[0],
        lines[1].removesuffix("it is about names of files alone, which texts have not"),
    ]
    document = json.loads(run("rules", "import", rules, "--output", output, "--json"))
    assert (1, 0, 1, str(output)) == tuple(document[name] for name in ("taken", "built-in", "refused", "output"))
    assert {"name": "acme-key", "outcome": "taken", "entity": "ACME_KEY", "note": None} == document["rules"][0]
    assert "acme-key\tACME_KEY\t0.9\tacme\tgitleaks.toml" == run("rules", "list", "--folder", folder).strip()
    assert (
        "-:1:8 ACME_KEY 0.90"
        == run("scan", "--folder", folder, "--entity", "ACME_KEY", given="x acme_k1k2k3k4\n", code=1).strip()
    )
    before = output.read_text()
    assert f"{output} exists; --replace" in " ".join(run("rules", "import", rules, "-o", output, code=1).split())
    assert before == output.read_text()
    run("rules", "import", rules, "-o", output, "--replace")
    assert [output] == list(folder.iterdir())


def test_presidio_is_read_and_named_by_built_in_detectors(tmp_path: Path) -> None:
    """A recognizer of the program is no rule to take; a threshold says which patterns are."""
    file = tmp_path / "recognizers.yaml"
    file.write_text(
        "recognizers:\n- {name: PhoneRecognizer, type: predefined}\n"
        "- {name: Own, supported_entity: OWN, patterns: [{name: p, regex: x, score: 0.2}]}\n"
    )
    assert "PhoneRecognizer\tbuilt-in\tPHONE_NUMBER" in run("rules", "import", file)
    assert "Own: p\ttaken\tOWN" in run("rules", "import", file, "--threshold", "0.2")
    assert "Own: p\trefused" in run("rules", "import", file)
    assert "nothing" not in run("rules", "import", file, "--strict", code=1)


def test_what_is_wrong_is_said(rules: Path, tmp_path: Path) -> None:
    """A mistake in a file, a place that cannot be written to, and no rule at all."""
    broken = tmp_path / "broken.toml"
    broken.write_text("[[rules]")
    assert "broken.toml is not valid TOML" in run("rules", "import", broken, code=1)
    problem = json.loads(run("rules", "import", broken, "--json", code=1))
    assert "/problems/command-failed" == problem["type"]
    assert "cannot be read" in run("rules", "import", tmp_path / "none.toml", code=1)
    assert "has to end in .toml" in run("rules", "import", rules, "-o", tmp_path / "x.yaml", code=2)
    missing = tmp_path / "none" / "x.toml"
    assert "cannot be written" in " ".join(run("rules", "import", rules, "-o", missing, code=1).split())
    output = tmp_path / "x.toml"
    assert "refused" in run("rules", "import", rules, "-o", output, "--strict", code=1)
    assert not output.exists()
    rules.write_text("[[rules]]\nid = 'a'\npath = 'b'\n")
    assert "refused" in run("rules", "import", rules, code=1)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "bad.toml").write_text("format = 2")
    assert "bad.toml: " in run("rules", "list", "--folder", tmp_path / "folder", code=1)
    assert "bad.toml: " in " ".join(run("scan", "x", "--folder", tmp_path / "folder", code=2).split())
