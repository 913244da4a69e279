"""A DynamoDB table belongs to the ledger of tasks of one database service; a second one does not start."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from servers.dynamodb import DynamoDbServer
from vestibule.cli.main import app as program
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring
from vestibule.runtime.starts import StartRefused


@pytest.fixture
def url(dynamodb_server: DynamoDbServer, tmp_path: Path) -> str:
    """The table of both services, whose keys and secret are the same."""
    create_key_ring(tmp_path / "keyring.json")
    (tmp_path / "service_secret").write_text("s" * 43)
    return dynamodb_server.table_url(str(tmp_path))


async def start(url: str, folder: Path) -> None:
    """Start and stop the database service of a data directory."""
    shared = {"keyring_file": folder.parent / "keyring.json", "service_secret_file": folder.parent / "service_secret"}
    settings = DatabaseSettings(data_dir=folder, database_url=url, database_timeout_s=30, **shared)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    service = create_app(settings)
    async with service.router.lifespan_context(service):
        assert (folder / "tasks.db").exists()


async def test_a_second_service_is_refused_until_it_takes_the_place_of_the_first(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first starts again and again; after `vestibule db adopt` in the second it is the first that is refused."""
    first, second = tmp_path / "first", tmp_path / "second"
    await start(url, first)
    await start(url, first)
    with pytest.raises(StartRefused, match=r"ledger \(tasks.db\) of another database service.*vestibule db adopt"):
        await start(url, second)
    monkeypatch.setenv("VESTIBULE_DATABASE_URL", url)
    adopted = CliRunner().invoke(program, ["db", "adopt", "--data-dir", str(second)])
    assert (0, "The next start takes the databases as they are.\n") == (adopted.exit_code, adopted.stdout)
    await start(url, second)
    await start(url, second)
    with pytest.raises(StartRefused, match="another database service"):
        await start(url, first)


async def test_of_two_that_start_at_once_one_has_the_table(url: str, tmp_path: Path) -> None:
    """Whichever it is, the other is refused, now and later."""
    folders = [tmp_path / "first", tmp_path / "second"]
    ends = await asyncio.gather(*(start(url, folder) for folder in folders), return_exceptions=True)
    assert [StartRefused] == [type(one) for one in ends if one is not None]
    for folder, end in zip(folders, ends, strict=True):
        if end is None:
            await start(url, folder)
        else:
            with pytest.raises(StartRefused, match="another database service"):
                await start(url, folder)
