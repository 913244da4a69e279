"""The secret between services opens their doors."""

import os
from pathlib import Path

import pytest

from vestibule.service_kit.auth.authentication import Credentials
from vestibule.service_kit.auth.service_secret import (
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
    assert f"Bearer {SECRET}" == ServiceSecret.read(path).current().authorization


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


def test_a_secret_is_changed_while_services_run(tmp_path: Path) -> None:
    """At each step every service is believed by every other, whether or not it has noticed the step."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    now = 0.0
    late, sent = ServiceSecret.read(path, clock=lambda: now), {SECRET}
    for step in (add_secret, use_secret, drop_secret):
        step(path)
        prompt = ServiceSecret.read(path)
        for sender, receiver in ((prompt, late), (late, prompt)):
            shown = Credentials(sender.current().authorization.removeprefix("Bearer "), is_local=False)
            assert receiver.find(shown) is not None
            sent.add(shown.token)
        now += 1
        assert late.current().authorization == prompt.current().authorization
    assert 2 == len(sent)
    assert late.find(Credentials(SECRET, is_local=True)) is None
    assert 0o600 == path.stat().st_mode & 0o777
    assert 1 == len(path.read_text().split())


def test_a_secret_that_is_mounted_as_a_file_is_changed_in_place(tmp_path: Path) -> None:
    """A container sees the file that it was given, whatever takes its name later; what is written into it counts."""
    path, mounted, copy = tmp_path / "secret", tmp_path / "mounted", tmp_path / "copy"
    path.write_text(SECRET)
    copy.write_text(SECRET)
    mounted.hardlink_to(path)  # as a mount does, another name holds on to the file
    now = 0.0
    service = ServiceSecret.read(mounted, clock=lambda: now)
    for step in (add_secret, use_secret, drop_secret):
        step(copy)
        path.write_bytes(copy.read_bytes())
        now += 1
        assert ServiceSecret.read(copy).current().authorization == service.current().authorization
    assert f"Bearer {SECRET}" != service.current().authorization


def test_a_file_that_is_read_while_it_is_written_is_read_again(tmp_path: Path) -> None:
    """The clock of a file system stands still for some milliseconds: an empty file and a full one may have one time."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    now = 0.0
    service = ServiceSecret.read(path, clock=lambda: now)
    for content in ("", "t" * 43):
        path.write_text(content)
        os.utime(path, ns=(10**18, 10**18))
        now += 1
        sent = service.current().authorization
    assert f"Bearer {'t' * 43}" == sent


def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """A running service keeps the secret that it knows; steps out of order are refused."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    now = 0.0
    secret = ServiceSecret.read(path, clock=lambda: now)
    with pytest.raises(ServiceSecretMissing, match="add one first"):
        use_secret(path)
    for content in ("", "short", "\n".join([SECRET] * 3)):
        path.write_text(content)
        now += 2
        assert f"Bearer {SECRET}" == secret.current().authorization


def test_only_the_secret_opens_the_door() -> None:
    """The register knows the secret, from anywhere, and nothing that resembles it."""
    token_lookup = ServiceSecret.fixed(SECRET)
    caller = token_lookup.find(Credentials(SECRET, is_local=False))
    assert caller is not None
    assert caller.may("anything")
    for wrong in (SECRET[:-1], SECRET + "s", "", SECRET.upper(), f"Bearer {SECRET}"):
        assert token_lookup.find(Credentials(wrong, is_local=True)) is None
