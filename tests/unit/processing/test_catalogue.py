"""Processors of one's own come from a folder or from an installed package; one that cannot be used is refused."""

from pathlib import Path

import pytest

from vestibule.processing import InvalidProcessor, ProcessorRegistry, Sources

REVERSE = """
class Reverse:
    name = "reverse"
    description = "Turns the text around."
    examples = (("abc", "cba"),)

    def process(self, data):
        return data[::-1]

{offer}
"""
OWN_OPTIONS = """
from pydantic import Field
from vestibule.processing import Example, Options

class CutOptions(Options):
    at: int = Field(ge=0, description="Where")

class Cut:
    name = "cut"
    description = "Cuts a text."
    options = CutOptions
    examples = (Example("abc", "ab", {"at": 2}),)

    def process(self, data, options, job):
        return data[:options.at]

PROCESSOR = Cut()
"""


def _registry(folder: Path) -> ProcessorRegistry:
    return ProcessorRegistry.discover(Sources(folder, has_installed=False))


def test_a_folder_adds_processors(tmp_path: Path) -> None:
    """Each file offers one or several, with options or without; files that begin with _ are none of it."""
    (tmp_path / "reverse.py").write_text(REVERSE.format(offer="PROCESSORS = [Reverse()]"))
    (tmp_path / "cut.py").write_text(OWN_OPTIONS)
    (tmp_path / "_words.py").write_text("raise RuntimeError")
    registry = _registry(tmp_path)
    assert {"reverse", "cut", "uppercase"} <= set(registry.names)
    assert ("cba", "ab") == (registry.process("reverse", "abc"), registry.process("cut", "abc", {"at": 2}))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def", "cannot be imported: SyntaxError"),
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError"),
        ("x = 1", "defines neither PROCESSOR nor PROCESSORS"),
        (REVERSE.format(offer="PROCESSOR = Reverse"), "this is a class"),
        (REVERSE.format(offer="PROCESSOR = Reverse()").replace('"reverse"', '"Re verse"'), "`name` must be"),
        (
            REVERSE.format(offer="PROCESSOR = Reverse()").replace('"reverse"', '"uppercase"'),
            "the name uppercase is taken by",
        ),
        (REVERSE.format(offer="PROCESSOR = Reverse()").replace("process", "work"), "reverse has no method `process`"),
        (REVERSE.format(offer="PROCESSOR = Reverse()").replace("description", "text"), "has no `description`"),
        (REVERSE.format(offer="PROCESSOR = Reverse()").replace('("abc", "cba"),', "5,"), "`examples` of reverse"),
        (OWN_OPTIONS.replace("options = CutOptions", "options = dict"), "must be a pydantic model"),
    ],
)
def test_a_broken_one_is_refused_with_its_place_and_the_reason(tmp_path: Path, source: str, reason: str) -> None:
    """Whoever starts the service reads which file it is, and why."""
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(InvalidProcessor) as caught:
        _registry(tmp_path)
    assert str(tmp_path / "mine.py") in str(caught.value)
    assert reason in str(caught.value)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A wrong path is no empty folder."""
    with pytest.raises(InvalidProcessor, match="is not a folder of processors"):
        _registry(tmp_path / "nowhere")


def test_an_installed_package_adds_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry point leads to a processor, and to nothing where that is switched off; a broken one is refused."""
    (tmp_path / "turning.py").write_text(REVERSE.format(offer="PROCESSOR = Reverse()"))
    information = tmp_path / "turning-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: turning\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[vestibule.processors]\nreverse = turning:PROCESSOR\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "cba" == ProcessorRegistry.discover(Sources()).process("reverse", "abc")
    assert "reverse" not in ProcessorRegistry.discover(Sources(has_installed=False)).names
    (information / "entry_points.txt").write_text("[vestibule.processors]\nreverse = turning:NOTHING\n")
    with pytest.raises(InvalidProcessor, match=r"the entry point turning:NOTHING cannot be imported: AttributeError"):
        ProcessorRegistry.discover(Sources())
