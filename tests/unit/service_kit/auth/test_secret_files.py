"""A file of keys, tokens or secrets that breaks under a running service changes nothing, and is told."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from vestibule.encryption import KeyRingFile, create_key_ring
from vestibule.runtime.background import in_background
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import InvalidTokenFile, TokenFile, create_token

PATIENT_S = 60


async def test_each_file_that_breaks_is_reported_once(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    """Also while nobody calls; a file that is well again may break again."""
    paths = [tmp_path / name for name in ("keyring.json", "service_secret", "tokens.json")]
    create_key_ring(paths[0])
    paths[1].write_text("s" * 43)
    create_token(paths[2], "caller", ["read"])
    files = SecretFiles(KeyRingFile(paths[0]), [ServiceSecret.read(paths[1]), TokenFile(paths[2])])
    assert [] == files.broken()
    reported: asyncio.Queue[str] = asyncio.Queue()
    good = paths[2].read_bytes()
    async with asyncio.timeout(PATIENT_S), in_background(files.follow(reported.put)):
        for path in paths:
            path.write_text("{")
        assert [path.name for path in paths] == sorted([await reported.get() for _ in paths])
        assert [path.name for path in paths] == files.broken()
        paths[2].write_bytes(good)
        await asyncio.to_thread(wait_until, lambda: "tokens.json" not in files.broken())
        paths[2].write_text("")
        assert "tokens.json" == await reported.get()


@pytest.mark.parametrize("content", ["", "{", "null", '[{"id": "a"}]', "\0" * 100])
def test_a_service_does_not_start_without_its_tokens(tmp_path: Path, content: str) -> None:
    """A file that is no token file is refused; without one there are no tokens."""
    TokenFile(tmp_path / "none.json")
    path = tmp_path / "tokens.json"
    path.write_text(content)
    with pytest.raises(InvalidTokenFile, match=r"tokens\.json cannot be read.*restore it from its backup"):
        TokenFile(path)
