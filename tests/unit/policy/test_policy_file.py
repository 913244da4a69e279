"""The policy follows its file: changes count, breakages do not."""

import asyncio
from pathlib import Path

import pytest

from vestibule.policy import Action, InvalidPolicy, Policy, Situation, Vocabulary
from vestibule.policy import policy as source_module
from vestibule.policy.policy import PolicyFile
from vestibule.runtime.background import in_background


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _action(source: PolicyFile) -> Action:
    return source.current.verdict_of(Situation("/add"), "US_SSN").action


def _settle(source: PolicyFile) -> bool:
    # A file counts when it looks the same twice.
    return source.refresh() or source.refresh()


def test_a_change_counts_and_a_breakage_does_not(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """The last good policy stays, and a file is complained of once."""
    path = tmp_path / "policy.toml"
    source = PolicyFile(path, vocabulary)
    assert Action.BLOCK is _action(source)
    _write(path, 'default = "mask"')
    assert (True, Action.MASK) == (_settle(source), _action(source))
    _write(path, 'default = "msk"')
    with pytest.raises(InvalidPolicy):
        _settle(source)
    assert (False, Action.MASK) == (_settle(source), _action(source))
    _write(path, "default = 'mask'  # as before")
    assert (False, Action.MASK) == (_settle(source), _action(source))
    _write(path, 'default = "redact"')
    assert (True, Action.REDACT) == (_settle(source), _action(source))
    path.unlink()
    assert (True, Action.BLOCK) == (_settle(source), _action(source))


def test_a_file_that_was_named_may_not_go(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """Missing at the start it is refused; gone later, what it said stays."""
    path = tmp_path / "named.toml"
    with pytest.raises(InvalidPolicy, match="cannot be read"):
        PolicyFile(path, vocabulary, is_optional=False)
    path.write_text('default = "mask"')
    source = PolicyFile(path, vocabulary, is_optional=False)
    path.unlink()
    with pytest.raises(InvalidPolicy):
        _settle(source)
    assert Action.MASK is _action(source)


async def test_following_tells_of_each_once(
    tmp_path: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new policy is told, and so is a broken file, while nobody asks for anything."""
    monkeypatch.setattr(source_module, "POLL_INTERVAL_S", 0.01)
    path = tmp_path / "policy.toml"
    source = PolicyFile(path, vocabulary)
    told: asyncio.Queue[str] = asyncio.Queue()

    async def on_change(policy: Policy) -> None:
        await told.put(policy.version)

    async def on_invalid(broken: InvalidPolicy) -> None:
        await told.put(broken.reason)

    following = asyncio.create_task(source.follow(on_change, on_invalid))
    try:
        _write(path, 'default = "mask"')
        assert await asyncio.wait_for(told.get(), 5) == source.current.version
        _write(path, "default = 7")
        assert "default" in await asyncio.wait_for(told.get(), 5)
        _write(path, 'default = "hash"')
        assert await asyncio.wait_for(told.get(), 5) == source.current.version
        assert told.empty()
    finally:
        following.cancel()


async def test_following_survives_a_failed_report(
    tmp_path: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy whose report fails is in force, and the next change is reported."""
    monkeypatch.setattr(source_module, "POLL_INTERVAL_S", 0.01)
    path = tmp_path / "policy.toml"
    source = PolicyFile(path, vocabulary)
    reported: asyncio.Queue[str] = asyncio.Queue()

    async def on_change(policy: Policy) -> None:
        await reported.put(policy.version)
        raise RuntimeError("the report fails")

    async def on_invalid(broken: InvalidPolicy) -> None:
        raise AssertionError(broken)

    async with asyncio.timeout(30), in_background(source.follow(on_change, on_invalid)):
        for text in ('default = "mask"', 'default = "redact"'):
            _write(path, text)
            assert await reported.get() == source.current.version
    assert Action.REDACT is _action(source)
