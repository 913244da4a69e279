"""Decisions (`docs/adr`) are numbered without gaps, and what refers to one names it as it is."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "adr"
DECISIONS = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives"]
TEXTS = {".md", ".py", ".toml", ".json", ".yaml", ".yml", ".sh", ""}


def _number(path: Path) -> int:
    return int(path.name[:4])


def _texts() -> dict[str, str]:
    """Return what the repository keeps, by its path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    paths = [name for name in listed if name and Path(name).suffix in TEXTS and (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(errors="ignore") for name in paths}


def test_decisions_are_numbered_without_gaps() -> None:
    """Each number up to the last is one decision's, and its title has it too."""
    numbers = [_number(path) for path in DECISIONS]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert numbers == [int(path.read_text().split(".")[0].removeprefix("# ")) for path in DECISIONS]


def test_a_decision_has_every_section() -> None:
    """Context, decision, consequences and alternatives, in this order."""
    assert {} == {
        path.name: found
        for path in DECISIONS
        if (found := re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)) != SECTIONS
    }


def test_a_reference_leads_to_the_decision_that_it_names() -> None:
    """A file that is named exists, and a number beside a link is that of the file."""
    names = {path.name for path in DECISIONS}
    numbers = {_number(path) for path in DECISIONS}
    wrong = []
    for place, text in _texts().items():
        files = re.findall(r"adr/(\d{4}-[a-z0-9-]+\.md)", text)
        linked = re.findall(r"\[ADR (\d+)\]\((?:adr/)?(\d{4})-", text)
        named = re.findall(r"\bADR (\d+)\b", text) + re.findall(r"adr/(\d{4})\b", text)
        wrong += [(place, name) for name in files if name not in names]
        wrong += [(place, number) for number in named if int(number) not in numbers]
        wrong += [(place, number) for number, file in linked if int(number) != int(file)]
    assert [] == wrong
