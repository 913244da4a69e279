"""`vestibule scan`, as somebody runs it in a terminal, a pipeline or a pre-commit hook."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli import text_scan
from vestibule.cli.main import app
from vestibule.detection import fingerprint_of

ADDRESS = "ada@example.com"


def run(*arguments: object, code: int, given: str | bytes | None = None) -> str:
    result = CliRunner().invoke(app, ["scan", *map(str, arguments)], input=given)
    assert code == result.exit_code, result.output
    return str(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a clean file, one with findings, a picture and what another program keeps."""
    (tmp_path / "clean.txt").write_text("nothing of note\n")
    (tmp_path / "found.txt").write_text(f"first line\nmail {ADDRESS} or call +44 20 7946 0958\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0" + ADDRESS.encode())
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(ADDRESS)
    return tmp_path


def test_clean_text_ends_with_zero() -> None:
    """Nothing found: no line, exit code 0."""
    assert "" == run("nothing of note", code=0)


def test_file_is_reported_by_line_and_column(folder: Path) -> None:
    """Each finding is one line: where, what, how sure; exit code 1."""
    lines = run(folder / "found.txt", code=1).splitlines()
    assert [f"{folder / 'found.txt'}:2:6 EMAIL_ADDRESS 0.95", f"{folder / 'found.txt'}:2:30 PHONE_NUMBER 1.00"] == lines


def test_folder_is_read_without_pictures_and_what_programs_keep(folder: Path) -> None:
    """Only texts below the folder are read."""
    assert {str(folder / "found.txt")} == {line.split(":")[0] for line in run(folder, code=1).splitlines()}


def test_standard_input_is_redacted() -> None:
    """The text comes out with the findings covered."""
    assert "mail <EMAIL_ADDRESS> now\n" == run("-", "--redact", given=f"mail {ADDRESS} now\n", code=1)


def test_reasons_are_told() -> None:
    """With --explain the rule, its check and the words around it are named."""
    assert "dashed is_ssn: passed ssn" in run("my ssn is 536-90-4399", "--explain", code=1)


def test_an_unknown_entity_is_wrong_usage() -> None:
    """A misspelt name would find nothing, as in a clean text."""
    result = CliRunner().invoke(app, ["scan", "--entity", "EMAL_ADDRESS", f"mail {ADDRESS}"])
    assert 2 == result.exit_code
    assert "EMAIL_ADDRESS?" in result.output


def test_only_the_chosen_entity() -> None:
    """With --entity nothing else is looked for."""
    assert "" == run(ADDRESS, "--entity", "CREDIT_CARD", code=0)


@pytest.mark.parametrize(
    "allowance",
    [
        ("--allow", ADDRESS),
        ("--allow-pattern", r"[a-z]{1,20}@example\.com"),
        ("--allow-fingerprint", fingerprint_of(ADDRESS, "a key"), "--fingerprint-key", "a key"),
    ],
)
def test_allowed_values_are_no_findings(allowance: tuple[str, ...]) -> None:
    """A value may be let through by itself, by its form or by its fingerprint; others are still found."""
    assert "" == run(ADDRESS, *allowance, code=0)
    run("grace@example.org", *allowance, code=1)


@pytest.mark.parametrize("allowance", [("--allow-pattern", "a+b"), ("--allow-fingerprint", "00")])
def test_unusable_allowance_is_wrong_usage(allowance: tuple[str, ...]) -> None:
    """An expression that may take long, or a fingerprint without its key, ends with exit code 2."""
    run(ADDRESS, *allowance, code=2)


def test_refused_text_counts_as_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scanner could not judge never passes as clean."""
    monkeypatch.setattr(text_scan, "BLOCK_CHARS", 10_000_000)
    path = tmp_path / "long.txt"
    path.write_text("a" * 1_100_000)
    run(path, code=1)


def test_a_long_file_is_scanned_whole(tmp_path: Path) -> None:
    """What is too long for the scanner is looked at in blocks: everything is found once, wherever blocks meet."""
    lines = [f"line {number} of a long file\n" for number in range(60_000)]
    for number in (0, 7_000, 7_400, 7_800, 20_000, 59_999):
        lines[number] = f"mail {ADDRESS}\n"
    (tmp_path / "long.log").write_text("".join(lines))
    found = run(tmp_path / "long.log", code=1).splitlines()
    places = [f"{number + 1}:6" for number in (0, 7_000, 7_400, 7_800, 20_000, 59_999)]
    assert [f"{tmp_path / 'long.log'}:{place} EMAIL_ADDRESS 0.95" for place in places] == found

    one_line = f"{'word ' * 38_000}{ADDRESS} " * 3
    redacted = run("-", "--redact", given=one_line, code=1)
    assert f"{one_line.replace(ADDRESS, '<EMAIL_ADDRESS>')}\n" == redacted


@pytest.mark.parametrize("name", ["reprot.txt", "./sorce", "/nowhere/at/all", "../x", "notes.md"])
def test_a_file_that_is_not_there_is_wrong_usage(name: str) -> None:
    """A check in a pipeline must not take a misspelt name for a text that holds nothing."""
    assert "" == run(name, code=2)


@pytest.mark.parametrize("text", ["04/12/1985", "192.168.1.77", "a@b.example.com", "v1.2.3", "and/or"])
def test_a_text_may_look_somewhat_like_a_path(text: str) -> None:
    """Dates, addresses and versions are texts."""
    assert CliRunner().invoke(app, ["scan", text]).exit_code in (0, 1)


def test_a_file_that_cannot_be_read_is_refused_and_the_next_is_read(folder: Path) -> None:
    """What could not be looked at counts as refused: it is told, and the others are scanned."""
    (folder / "away.txt").symlink_to("/proc/self/mem")
    result = CliRunner().invoke(app, ["scan", str(folder / "away.txt"), str(folder / "clean.txt")])
    assert 1 == result.exit_code
    assert "away.txt: cannot be read: " in result.stderr


def test_text_in_utf_16_is_text(tmp_path: Path) -> None:
    """Files as Windows writes them are no pictures."""
    (tmp_path / "windows.txt").write_text(f"mail {ADDRESS}", encoding="utf-16")
    assert "EMAIL_ADDRESS" in run(tmp_path / "windows.txt", code=1)


def test_lines_are_answered_in_order() -> None:
    """With --jsonl each line has its answer, also where a text came in a field."""
    asked = [{"text": ADDRESS, "id": "a"}, {"text": "clean", "id": 2}, {"text": "536904399", "key": "ssn"}]
    asked.append({"text": "536904399", "field": "ssn"})
    answers = [
        json.loads(line) for line in run("--jsonl", given="\n".join(map(json.dumps, asked)), code=0).splitlines()
    ]
    assert ["a", 2, None, None] == [answer.get("id") for answer in answers]
    assert [["EMAIL_ADDRESS"], [], ["US_SSN"], ["US_SSN"]] == [
        [f["entity"] for f in answer["findings"]] for answer in answers
    ]


def test_lines_come_redacted_and_explained() -> None:
    """With --redact and --explain an answer holds the covered text and the reasons."""
    (answer,) = map(
        json.loads, run("--jsonl", "--redact", "--explain", given=json.dumps({"text": ADDRESS}), code=0).splitlines()
    )
    assert "<EMAIL_ADDRESS>" == answer["text"]
    assert "address" == answer["findings"][0]["because"]["rule"]


@pytest.mark.parametrize("line", ["no JSON", '{"texts": 1}', '{"text": 1}', '{"text": "a", "key": 1}', "[]"])
def test_malformed_line_is_told_and_the_next_answered(line: str) -> None:
    """A malformed line is no finding and no silence: it is named, and the exit code is 2."""
    first, second = map(json.loads, run("--jsonl", given=f'{line}\n\n{{"text": "clean"}}\n', code=2).splitlines())
    assert first["findings"] is None
    assert "field" in first["malformed"]
    assert {"findings": []} == second


def test_refused_line_is_told() -> None:
    """A text over the limit is refused by name, and the exit code is 1."""
    (answer,) = map(json.loads, run("--jsonl", given=json.dumps({"text": "a" * 1_048_577}), code=1).splitlines())
    assert answer["findings"] is None
    assert "refused" in answer
