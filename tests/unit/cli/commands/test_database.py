"""`vestibule db` on a store that is a server: makes its tables, says what is wrong, and never shows a password."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from servers.dynamodb import DynamoDbServer
from servers.postgresql import PASSWORD, PostgresqlServer
from vestibule.cli.main import app

URL = "VESTIBULE_DATABASE_URL"


def run(command: str, url: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["db", command], env={URL: url, "VESTIBULE_DATABASE_TIMEOUT_S": "60"})
    return found.exit_code, found.output


def test_postgresql_is_migrated_and_checked(postgresql_server: PostgresqlServer, tmp_path: Path) -> None:
    """Before the tables are there that is what is wrong; after, only that the server of the tests does not flush."""
    url = postgresql_server.database_url(str(tmp_path))
    code, output = run("check", url)
    assert (1, True) == (code, "create them with `vestibule db migrate`" in output)
    assert [(0, "The store is up to date now.\n"), (0, "The store was up to date.\n")] == [
        run("migrate", url) for _ in range(2)
    ]
    code, output = run("check", url)
    assert "tables" not in output
    assert code == (1 if "fsync" in output else 0)


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_a_refusal_tells_no_password(postgresql_server: PostgresqlServer, command: str) -> None:
    """Neither a wrong password nor that of a server that does not answer is shown."""
    for url in (postgresql_server.url.replace(PASSWORD, "Wr0ngSecret"), "postgresql://me:Wr0ngSecret@127.0.0.1:1/x"):
        code, output = run(command, url)
        assert code == 1
        assert "cannot be used" in output
        assert "Wr0ngSecret" not in output


def test_a_table_of_dynamodb_is_made_and_checked(dynamodb_server: DynamoDbServer) -> None:
    """It is made where that is asked for, with its index and its time to live."""
    url = f"dynamodb://made-by-hand?region=eu-central-1&endpoint={dynamodb_server.endpoint}"
    code, output = run("check", url)
    assert (1, True) == (code, "create it with `vestibule db migrate`" in output)
    assert (0, "The store is up to date now.\n") == run("migrate", url)
    assert (0, "The dynamodb store is sound.\n") == run("check", url)


def test_sqlite_needs_no_migration() -> None:
    """Its file is brought up to date by the service that opens it."""
    code, output = run("migrate", "sqlite:")
    assert (1, True) == (code, "needs no migration" in output)


def test_plain_values_need_a_key_ring(tmp_path: Path) -> None:
    """Without one nothing is created: a service would refuse a database that was there before its ring."""
    export, data_dir = tmp_path / "export.jsonl", tmp_path / "new"
    export.write_text('{"vestibule_export":1,"encrypted":false}\n{"key":"default/k","value":"v","version":1}\n')
    data_dir.mkdir()
    found = CliRunner().invoke(app, ["db", "import", str(export), "--data-dir", str(data_dir)])
    assert (1, True, []) == (found.exit_code, "cannot read the key ring" in found.output, list(data_dir.iterdir()))
