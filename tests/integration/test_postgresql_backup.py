"""The scripts of the backup CronJob and of the Job that restores, run as their containers run them on a real server."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from servers.manifests import KUBERNETES, Object, render
from servers.postgresql import PASSWORD, PostgresqlServer, run_sql
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.store import Store, StoreRefused, Write
from vestibule.database_service.entries.store_identity import StoreVerification, mark_of
from vestibule.database_service.main import build_store, build_task_ledger
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

SCRIPTS = KUBERNETES / "components" / "backup"
WITHIN_S = 60


@dataclass
class Place:
    """A database, the programs of its server, and the folder that stands for the volume of backups."""

    url: str
    binaries: Path
    backups: Path
    settings: DatabaseSettings

    def run(self, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a script with the variables of its container, but for the address of the server."""
        server = urlsplit(self.url)
        given = {one["name"]: one["value"] for one in _container()["env"] if "value" in one}
        own = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGDATABASE": server.path[1:]}
        path = f"{self.binaries}:{os.environ['PATH']}"
        environment = {**given, **own, "PGPASSWORD": PASSWORD, "BACKUPS": str(self.backups), "PATH": path, **more}
        # The shell of the image is dash.
        return subprocess.run(
            ["sh", SCRIPTS / f"{script}.sh"], env=environment, capture_output=True, text=True, timeout=WITHIN_S
        )

    async def write(self, key: str, value: str) -> None:
        """Write an entry as the database service does, after its start has accepted the store."""
        async with build_store(self.settings) as store:
            encrypted = await self._verified(store)
            await encrypted.write(Write(key, value))

    async def read(self, key: str) -> str | None:
        """Return the value of an entry after a start that has accepted the store."""
        async with build_store(self.settings) as store:
            encrypted = await self._verified(store)
            await build_task_ledger(store).prepare()
            entry = await encrypted.read(key)
            return entry and entry.value

    async def _verified(self, store: Store) -> EncryptedStore:
        ring = KeyRingFile(self.settings.key_ring_path)
        encrypted = EncryptedStore(store, Cipher(ring, REALM))
        assert await StoreVerification(encrypted, ring, mark_of(self.settings)).verify()
        return encrypted

    def epoch(self) -> object:
        """Return what positions of watchers belong to."""
        return run_sql(self.url, "SELECT id FROM vestibule.epoch")[0][0][0]


def _container() -> Object:
    (container,) = render(KUBERNETES / "overlays" / "cluster").pod("backup")["spec"]["containers"]
    return cast("Object", container)


@pytest.fixture
def place(postgresql_server: PostgresqlServer, tmp_path: Path) -> Place:
    """A database of its own."""
    if postgresql_server.binaries is None:
        pytest.skip("needs the programs of the server, such as pg_dump")
    create_key_ring(tmp_path / "keys" / "keyring.json")
    (tmp_path / "backups").mkdir()
    url = postgresql_server.database_url(str(tmp_path))
    settings = DatabaseSettings(database_url=url, data_dir=tmp_path, database_timeout_s=30)
    return Place(url, postgresql_server.binaries, tmp_path / "backups", settings)


async def test_what_was_backed_up_is_there_after_the_restore(place: Place) -> None:
    """All of it, and nothing that came later; the service takes the database as its own, and watchers begin again."""
    await place.write("greeting", "Zq7MARKERx9")
    done = place.run("backup")
    assert 0 == done.returncode, done.stderr
    (backup,) = place.backups.iterdir()
    assert f"{backup.name} is written and can be read.\n" == done.stdout
    assert re.fullmatch(r"vestibule-\d{8}T\d{6}Z\.dump", backup.name)
    assert 0o600 == backup.stat().st_mode & 0o777
    assert b"MARKER" not in backup.read_bytes()
    await place.write("greeting", "changed")
    await place.write("later", "x")
    before = place.epoch()
    done = place.run("restore", BACKUP="")
    assert (0, f"{backup.name} is restored.\n") == (done.returncode, done.stdout), done.stderr
    assert ("Zq7MARKERx9", None) == (await place.read("greeting"), await place.read("later"))
    assert before != place.epoch()


async def test_a_database_that_is_gone_comes_back(place: Place) -> None:
    """Also into an empty one, as after the loss of the volume."""
    await place.write("greeting", "hello")
    assert 0 == place.run("backup").returncode
    run_sql(place.url, "DROP SCHEMA vestibule CASCADE")
    done = place.run("restore")
    assert 0 == done.returncode, done.stderr
    assert "hello" == await place.read("greeting")


async def test_a_rollback_needs_the_backup_and_works_with_it(place: Place) -> None:
    """An older program refuses what a newer one has migrated, and takes what was backed up before."""
    await place.write("greeting", "hello")
    assert 0 == place.run("backup").returncode
    migrated = (
        "CREATE TABLE vestibule.of_a_newer_version (id text); UPDATE vestibule.alembic_version SET version_num = 'z9'"
    )
    run_sql(place.url, *migrated.split("; "))
    with pytest.raises(StoreRefused, match="the schema revision `z9`, which this program does not know"):
        await place.read("greeting")
    done = place.run("restore")
    assert 0 == done.returncode, done.stderr
    assert "hello" == await place.read("greeting")
    assert [(None,)] == run_sql(place.url, "SELECT to_regclass('vestibule.of_a_newer_version')")[0]


async def test_nothing_is_restored_under_a_running_service(place: Place) -> None:
    """Nor from a file that is damaged or not there: then all is as it was."""
    await place.write("greeting", "hello")
    assert 0 == place.run("backup").returncode
    async with build_store(place.settings):
        refused = place.run("restore")
    assert (1, "") == (refused.returncode, refused.stdout)
    assert "connections are open: stop the database service and PgBouncer first." in refused.stderr
    (backup,) = place.backups.iterdir()
    damaged = place.backups / "vestibule-20990101T000000Z.dump"
    damaged.write_bytes(backup.read_bytes()[: backup.stat().st_size * 2 // 3])
    broken = place.run("restore")
    assert (1, "") == (broken.returncode, broken.stdout)
    assert "vestibule-20990101T000000Z.dump cannot be restored; nothing is changed.\n" in broken.stderr
    missing = place.run("restore", BACKUP="none.dump")
    assert (1, "There is no backup none.dump.\n") == (missing.returncode, missing.stderr)
    assert "hello" == await place.read("greeting")


async def test_old_backups_go_and_failed_ones_leave_nothing(place: Place) -> None:
    """The newest are kept; one that fails says so by its exit code, removes none, and its rest is removed next time."""
    await place.write("greeting", "hello")
    old = [place.backups / f"vestibule-2020010{day}T000000Z.dump" for day in range(1, 5)]
    for path in old:
        path.touch()
    failed = place.run("backup", KEEP="2", PGDATABASE="nowhere")
    assert 0 != failed.returncode
    assert all(path.exists() for path in old)
    assert 0 == place.run("backup", KEEP="2").returncode
    kept = sorted(path.name for path in place.backups.iterdir())
    assert (2, old[-1].name) == (len(kept), kept[0])
