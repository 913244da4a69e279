"""Sessions are sealed in cookies: nobody else reads or makes one, they end by themselves, and secrets rotate."""

import base64
from pathlib import Path

import pytest

from vestibule.console.session.sessions import LIFETIME_S, Sessions
from vestibule.service_kit.auth.service_secret import ServiceSecretMissing

FIRST, SECOND = "a" * 43, "b" * 43
TOKEN = "vst_the-token-of-a-person"
NEVER = float("inf")


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "console_secret"
    path.write_text(FIRST)
    return path


def _begin(sessions: Sessions, until: float = NEVER):
    return sessions.begin(TOKEN, token_id="t1", name="Zoë", tenant="default", scopes=["alerts", "trace"], until=until)


def test_a_session_comes_back_as_it_was(file: Path, clock: Clock) -> None:
    """The cookie shows neither the token nor the name, and is another each time."""
    sessions = Sessions(file, clock)
    session = _begin(sessions)
    cookie = sessions.seal(session)
    assert session == sessions.open(cookie)
    assert (True, False) == (session.may("trace"), session.may("tokens"))
    assert cookie != sessions.seal(session)
    raw = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
    assert TOKEN.encode() not in raw
    assert TOKEN not in repr(session)


def test_a_changed_cookie_is_none(file: Path, clock: Clock) -> None:
    """Each of its characters counts; so does garbage of any kind."""
    sessions = Sessions(file, clock)
    cookie = sessions.seal(_begin(sessions))
    for at in range(0, len(cookie) - 1, 7):
        changed = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        assert sessions.open(changed) is None, at
    for garbage in ("", "x", "%%%", "ä", "A" * 16, "A" * 5000, cookie[:20]):
        assert sessions.open(garbage) is None, garbage


def test_it_ends_after_eight_hours_or_with_the_token(file: Path, clock: Clock) -> None:
    """Whichever comes first."""
    sessions = Sessions(file, clock)
    cookie = sessions.seal(_begin(sessions))
    of_short_token = sessions.seal(_begin(sessions, until=clock.now + 60))
    clock.now += 59
    assert sessions.open(of_short_token) is not None
    clock.now += 1
    assert sessions.open(of_short_token) is None
    clock.now += LIFETIME_S - 61
    assert sessions.open(cookie) is not None
    clock.now += 1
    assert sessions.open(cookie) is None


def test_a_secret_rotates_without_signing_anybody_out(file: Path, clock: Clock) -> None:
    """The first of the file seals, each opens; one that is gone opens nothing."""
    sessions = Sessions(file, clock)
    session = _begin(sessions)
    old, csrf = sessions.seal(session), sessions.csrf_token(session)
    file.write_text(f"{SECOND}\n{FIRST}\n")
    sessions.file.reload()
    new = sessions.seal(session)
    assert [session, session] == [sessions.open(old), sessions.open(new)]
    assert sessions.is_csrf_token(session, csrf)
    file.write_text(SECOND)
    sessions.file.reload()
    assert [None, session] == [sessions.open(old), sessions.open(new)]
    assert not sessions.is_csrf_token(session, csrf)


def test_a_csrf_token_is_of_one_session(file: Path, clock: Clock) -> None:
    """That of another session, even of the same person, is refused."""
    sessions = Sessions(file, clock)
    mine, other = _begin(sessions), _begin(sessions)
    assert sessions.is_csrf_token(mine, sessions.csrf_token(mine))
    for wrong in (sessions.csrf_token(other), "", "ä", sessions.csrf_token(mine)[:-1]):
        assert not sessions.is_csrf_token(mine, wrong)


def test_a_missing_or_short_secret_ends_the_start(tmp_path: Path) -> None:
    """And says which file it is."""
    with pytest.raises(ServiceSecretMissing, match=r"console secret .*nothing"):
        Sessions(tmp_path / "nothing")
    (tmp_path / "short").write_text("too short")
    with pytest.raises(ServiceSecretMissing, match="fewer than 32"):
        Sessions(tmp_path / "short")
