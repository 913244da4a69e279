"""Reads rule files: the TOML files in the folder of own detectors."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibule.detection.errors import InvalidDetector
from vestibule.detection.rule_files.linear_rule import LinearRule
from vestibule.detection.rules import Detector

if TYPE_CHECKING:
    from pydantic import ValidationError

# A file larger than this is refused before it is parsed: that of gitleaks has 100 KB.
MAX_FILE_BYTES = 4 * 1024 * 1024


class UnreadableRules(InvalidDetector):
    """A file of rules cannot be read, or is no file of the format that it should have."""


def read_rule_files(folder: Path | None) -> list[Detector]:
    """Return the detectors of every TOML file of a folder, by name, whose name begins with no `_` or `.`.

    Raises:
        InvalidDetector: a file cannot be read, or a rule in it is invalid.
    """
    if folder is None:
        return []
    return [detector for path in rule_files(folder) for detector in read_rule_file(path)]


def rule_files(folder: Path) -> list[Path]:
    """Return the rule files of a folder."""
    return sorted(folder.glob("[!_.]*.toml"))


def read_rule_file(path: Path) -> tuple[Detector, ...]:
    """Return the detectors of a rule file: one for each entity.

    Raises:
        InvalidDetector: the file cannot be read, or a rule in it is invalid.
    """
    return _detectors(path.name, read_bounded(path))


def read_bounded(path: Path) -> str:
    """Return the text of a file of a bounded size.

    Raises:
        UnreadableRules: it cannot be read, is too large, or is not in UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableRules(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableRules(f"{path} is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableRules(f"{path} is not in UTF-8: byte {error.start + 1}") from error


def parse_toml(name: str, text: str) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        UnreadableRules: it is none, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableRules(f"{name} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise UnreadableRules(f"{name} is nested too deeply") from error


# Several parts of a process read the same files: the scanner, the policy, and the version of the detectors.
@lru_cache(maxsize=16)
def _detectors(name: str, text: str) -> tuple[Detector, ...]:
    from pydantic import ValidationError  # noqa: PLC0415 - a scanner without rule files needs none

    from vestibule.detection.rule_files.document import RuleFile  # noqa: PLC0415

    try:
        document = RuleFile.model_validate(parse_toml(name, text))
    except ValidationError as error:
        raise InvalidDetector(f"{name}: {describe(error)}") from error
    rules: dict[tuple[str, str | None, float], list[LinearRule]] = {}
    for rule in document.rules:
        rules.setdefault((rule.entity, rule.group, rule.threshold), []).append(rule.declared(document.allow))
    return tuple(
        Detector(
            entity=entity,
            group=group,
            threshold=threshold,
            rules=tuple(some),
            examples=(),
            counter_examples=(),
            sources=(document.source or name,),
        )
        for (entity, group, threshold), some in rules.items()
    )


def describe(error: "ValidationError") -> str:
    """Return the first mistake in a document, with its place and without what stands there."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
