"""Sample texts with their expected actions, in a TOML or JSONL file, to test a policy."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vestibule.policy.action import Action
from vestibule.policy.decision import Decision, FindingLike, Situation
from vestibule.policy.policy import KEY_FIELD, Policy

PASS = "pass"  # noqa: S105 - a word that means nothing was done


class Sample(BaseModel):
    """A text, its request, and the expected outcome: one word, or an action by entity."""

    model_config = ConfigDict(extra="forbid")

    text: str
    expect: str | Mapping[str, Action] = Field(description=f"An action, `{PASS}` for none, or actions by entity")
    key: str | None = None
    route: str = "/add"
    token: str | None = None

    @property
    def situation(self) -> Situation:
        """Where the text comes from."""
        return Situation(self.route, self.token, self.token, self.key)


class InvalidSamples(ValueError):
    """The file of samples is invalid; the message has the place, and none of the texts."""


_samples = TypeAdapter(list[Sample])


def read_samples(path: Path) -> list[Sample]:
    """Return the samples in `path`: lines of JSON where it ends in `.jsonl`, else TOML with `[[samples]]`.

    Raises:
        InvalidSamples: it cannot be read, or it is no list of samples.
    """
    try:
        content = path.read_bytes()
        given: Any
        if path.suffix == ".jsonl":
            given = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        else:
            given = tomllib.loads(content.decode("utf-8")).get("samples", [])
        return _samples.validate_python(given)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = "/".join(str(part) for part in mistake["loc"][1:2])
        number = int(mistake["loc"][0]) + 1 if mistake["loc"] else 1
        raise InvalidSamples(f"{path}, sample {number}: `{place}`: {mistake['msg']}") from None
    except (OSError, ValueError) as error:
        raise InvalidSamples(f"{path} cannot be read as samples ({type(error).__name__})") from None


def outcome_of(decision: Decision) -> str:
    """Return what was, or in a dry run would have been, done, as one word."""
    return str(decision.strictest_withheld or decision.strictest or PASS)


def find_mismatches(
    samples: Sequence[Sample], policy: Policy, scan: Callable[[str, str | None], Sequence[FindingLike]]
) -> dict[int, str]:
    """Return in what the policy differs from what was expected, by the sample's number, counted from 1.

    `scan` takes a text and the key that it comes with.
    """
    mistakes: dict[int, str] = {}
    for number, sample in enumerate(samples, 1):
        findings = {"value": scan(sample.text, sample.key)}
        if sample.key is not None:
            findings[KEY_FIELD] = scan(sample.key, None)
        mistake = mismatch_of(sample, policy.decide(sample.situation, findings))
        if mistake:
            mistakes[number] = mistake
    return mistakes


def mismatch_of(sample: Sample, decision: Decision) -> str | None:
    """Return in what a decision differs from what was expected, None where it does not."""
    if isinstance(sample.expect, str):
        outcome = outcome_of(decision)
        is_passed = sample.expect == PASS and outcome == Action.IGNORE
        return None if outcome == sample.expect or is_passed else f"expected {sample.expect}, got {outcome}"
    actual = decision.withheld if decision.is_dry_run else decision.actions
    if dict(sample.expect) == actual:
        return None
    return f"expected {_words(sample.expect)}, got {_words(actual)}"


def _words(actions: Mapping[str, Action]) -> str:
    return ", ".join(f"{entity} {action}" for entity, action in sorted(actions.items())) or PASS
