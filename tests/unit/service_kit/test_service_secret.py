"""The secret between services opens their doors."""

import time
from pathlib import Path

import pytest

from vestibule.service_kit.authentication import Presented
from vestibule.service_kit.service_secret import (
    ServiceSecret,
    ServiceSecretMissing,
    add_secret,
    drop_secret,
    use_secret,
)

SECRET = "s" * 43


def test_the_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """White space around it, as editors leave it, does not count."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    assert f"Bearer {SECRET}" == ServiceSecret.read(path).authorization


@pytest.mark.parametrize("content", [None, b"", b"   \n", b"short", b"\xff" * 64])
def test_a_secret_that_cannot_be_one_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A service starts with no weak secret, and the refusal shows nothing of it."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ServiceSecretMissing) as caught:
        ServiceSecret.read(path)
    assert str(path) in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_secret_is_changed_while_services_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step every service is believed by every other, whether or not it has noticed the step."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    late, sent = ServiceSecret.read(path), {SECRET}
    for step in (add_secret, use_secret, drop_secret):
        step(path)
        prompt = ServiceSecret.read(path)
        for sender, receiver in ((prompt, late), (late, prompt)):
            shown = Presented(sender.authorization.removeprefix("Bearer "), is_local=False)
            assert receiver.find(shown) is not None
            sent.add(shown.token)
        now += 1
        assert late.authorization == prompt.authorization
    assert 2 == len(sent)
    assert late.find(Presented(SECRET, is_local=True)) is None
    assert 0o600 == path.stat().st_mode & 0o777
    assert 1 == len(path.read_text().split())


def test_a_broken_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running service keeps the secret that it knows; steps out of order are refused."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    secret = ServiceSecret.read(path)
    with pytest.raises(ServiceSecretMissing, match="add one first"):
        use_secret(path)
    for content in ("", "short", "\n".join([SECRET] * 3)):
        path.write_text(content)
        now += 2
        assert f"Bearer {SECRET}" == secret.authorization


def test_only_the_secret_opens_the_door() -> None:
    """The register knows the secret, from anywhere, and nothing that resembles it."""
    register = ServiceSecret(SECRET).register()
    caller = register.find(Presented(SECRET, is_local=False))
    assert caller is not None
    assert caller.may("anything")
    for wrong in (SECRET[:-1], SECRET + "s", "", SECRET.upper(), f"Bearer {SECRET}"):
        assert register.find(Presented(wrong, is_local=True)) is None
