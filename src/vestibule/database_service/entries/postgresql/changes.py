"""Changes of the store, as steps for the function in the database."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from vestibule.contracts.entries import ALWAYS, ANY, Condition, Tags
from vestibule.contracts.errors import PreconditionFailed
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.store import OperationNote, Write

ABSENT = Condition.of_version(0)
Action = Literal["write", "delete", "replace", "forget", "check"]


class ChangeStep(NamedTuple):
    """One action on one entry, or on its version `target`, if the entry meets `condition`.

    `check` only checks; its `target` is the last version that the key had, 0 where it had none.
    """

    action: Action
    key: str
    value: bytes | None = None
    expires_at: datetime | None = None
    author: str | None = None
    target: int | None = None
    condition: Condition = ALWAYS


class StepOutcome(NamedTuple):
    """The outcome of a step: the version that it found (refused) or assigned, None where there was no entry."""

    is_refused: bool
    version: int | None


# By the index of the step in its change; skipped steps have none.
StepOutcomes = dict[int, StepOutcome]


@dataclass(frozen=True, slots=True)
class EntryChange:
    """Steps that happen together or not at all, and the function that makes the caller's result from their outcomes."""

    steps: Sequence[ChangeStep]
    conclude: Callable[[StepOutcomes], Any]

    @property
    def size(self) -> int:
        """About how many bytes it sends."""
        return sum(len(step.value or b"") + len(step.key) for step in self.steps)


def write_of(write: Write) -> EntryChange:
    """Return the change that writes one value; its result is the version."""
    return EntryChange([_write_step(write, write.condition)], lambda outcomes: _expect(outcomes[0]))


def writes_of(writes: Sequence[Write]) -> EntryChange:
    """Return the change that writes all values if all conditions hold; its result is the versions."""
    checks, places = _checks_of(writes)

    def conclude(outcomes: StepOutcomes) -> list[int | None]:
        _expect_all(places, outcomes)
        return [outcomes[len(checks) + place].version for place in range(len(writes))]

    return EntryChange([*checks, *(_write_step(write, ALWAYS) for write in writes)], conclude)


def noted_writes_of(writes: Sequence[Write], note: OperationNote, versions: Sequence[int]) -> EntryChange:
    """Return the change that writes all values and a note of `versions`, if they get these and all conditions hold; its
    result is whether they did."""
    checks, places = _checks_of([*writes, replace(note.as_write(versions), condition=ABSENT)])
    version_checks = [
        ChangeStep("check", write.key, target=version - 1) for write, version in zip(writes, versions, strict=True)
    ]
    steps = [_write_step(write, ALWAYS) for write in (*writes, note.as_write(versions))]

    def conclude(outcomes: StepOutcomes) -> bool:
        _expect_all(places, outcomes)
        return len(checks) + len(version_checks) in outcomes

    return EntryChange([*checks, *version_checks, *steps], conclude)


def replacement_of(key: str, value: str, version: int) -> EntryChange:
    """Return the change that replaces the value of a version; its result is whether there was one."""
    return EntryChange([ChangeStep("replace", key, value.encode(), target=version)], _has_found)


def removal_of(key: str, version: int) -> EntryChange:
    """Return the change that removes a version from the history; its result is whether there was one."""
    return EntryChange([ChangeStep("forget", key, target=version)], _has_found)


def deletion_of(key: str, condition: Condition, author: str | None) -> EntryChange:
    """Return the change that deletes an entry; its result is whether there was one."""
    step = ChangeStep("delete", key, author=author, condition=condition)
    return EntryChange([step], lambda outcomes: _expect(outcomes[0]) is not None)


def columns_of(changes: Iterable[EntryChange], earlier_versions: int) -> list[list[Any]]:
    """Return all steps as the arrays of `vestibule.apply_changes`; reserved keys keep no earlier versions."""
    rows = [
        (number, 0 if step.key.startswith(RESERVED) else earlier_versions, *step[:6], *_stated(step.condition))
        for number, change in enumerate(changes)
        for step in change.steps
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def outcomes_of(changes: Sequence[EntryChange], rows: Iterable[Any]) -> list[StepOutcomes]:
    """Return the rows of the function, which numbers all steps from 1, by change."""
    places = [(number, place) for number, change in enumerate(changes) for place in range(len(change.steps))]
    found: list[StepOutcomes] = [{} for _ in changes]
    for step, is_refused, version in rows:
        number, place = places[step - 1]
        found[number][place] = StepOutcome(is_refused, version)
    return found


def _checks_of(writes: Sequence[Write]) -> tuple[list[ChangeStep], list[int]]:
    """Return the steps that hold the conditions of writes, and the places of those writes."""
    places = [place for place, write in enumerate(writes) if write.condition != ALWAYS]
    return [ChangeStep("check", writes[place].key, condition=writes[place].condition) for place in places], places


def _expect_all(places: Sequence[int], outcomes: StepOutcomes) -> None:
    for step, place in enumerate(places):
        if step in outcomes:
            _expect(outcomes[step], place)


def _write_step(write: Write, condition: Condition) -> ChangeStep:
    return ChangeStep("write", write.key, write.value.encode(), write.expires_at, write.author, condition=condition)


def _has_found(outcomes: StepOutcomes) -> bool:
    return outcomes[0].version is not None


def _expect(outcome: StepOutcome, index: int | None = None) -> int | None:
    if outcome.is_refused:
        raise PreconditionFailed(outcome.version, **({} if index is None else {"index": index}))
    return outcome.version


def _stated(condition: Condition) -> tuple[str | None, str | None]:
    return _versions(condition.match), _versions(condition.none_match)


def _versions(tags: Tags | None) -> str | None:
    """Return the versions that tags name as `,3,5,`; a tag that we never gave names none."""
    if tags is None:
        return None
    if ANY in tags:
        return ANY
    return "".join([",", *(f"{tag.strip(chr(34))}," for tag in sorted(tags) if tag.strip('"').isdecimal())])
