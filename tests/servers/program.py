"""Runs commands of the program in this process, against a running system, and notes which."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from vestibule.cli.frame.noun import examples_of
from vestibule.cli.frame.tree import PLACES, expand, make_tree
from vestibule.cli.main import app


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command by its words, also the nouns."""
    tree = make_tree()
    for name in PLACES:
        yield name, tree[name]
        for verb, command in getattr(tree[name], "commands", {}).items():
            yield f"{name} {verb}", command


def examples() -> Iterator[tuple[str, str]]:
    """Yield the words of a command and an example of its help, for each example."""
    for words, command in commands():
        yield from ((words, example) for example in examples_of(command))


class Program:
    """Runs commands, and notes which."""

    def __init__(self, system: Any, config_dir: Path) -> None:
        self.tried: set[str] = set()
        # Words of examples that stand for another.
        self.names: dict[str, str] = {}
        self.known = {words for words, command in commands() if not hasattr(command, "commands")}
        self.environment = {
            "VESTIBULE_URL": system.url,
            "VESTIBULE_DATABASE_SERVICE_URL": system.part_url(1),
            "VESTIBULE_SCHEDULER_URL": system.part_url(3),
            "VESTIBULE_DATA_DIR": str(system.data_dir),
            "XDG_CONFIG_HOME": str(config_dir),
        }

    def __call__(
        self, *words: str, code: int = 0, given: str | bytes | None = None, data_dir: Path | None = None
    ) -> str:
        """Run a command, which must exit with `code` and without a traceback, and return what it prints."""
        result = self.run(words, given, data_dir)
        assert code == result.exit_code, f"{words}: {result.output} {result.exception!r}"
        return str(result.stdout if code == 0 else result.output).strip()

    def run(self, words: tuple[str, ...], given: str | bytes | None = None, data_dir: Path | None = None) -> Any:
        """Run a command, which must not end with a traceback, and return its outcome."""
        full = expand(list(words))
        self.tried |= self.known & {" ".join(full[:1]), " ".join(full[:2])}
        moved = {} if data_dir is None else {"VESTIBULE_DATA_DIR": str(data_dir)}
        result = CliRunner().invoke(app, list(words), input=given, env=self.environment | moved)
        assert isinstance(result.exception, SystemExit | None), f"{words}: {result.exception!r}"
        return result

    def run_line(self, line: str, names: dict[str, str]) -> Any:
        """Run a line as a shell does: one command, `echo` before a pipe, and files by `<` and `>`.

        Words that are a name, such as ID, stand for a value.
        """
        before, _, after = line.rpartition(" | ")
        command, _, source = re.sub(r" > \S+", "", after).partition(" < ")
        program, *words = shlex.split(command, comments=True)
        assert program == "vestibule", line
        file = Path(source or "-")
        content = file.read_text() if file.exists() else "given\n"
        given = content if source else before.removeprefix("echo ") + "\n" if before else None
        # Whoever follows would wait for ever.
        return self.run(tuple(names.get(word, word) for word in words if word not in ("-f", "--follow")), given)
