"""A service does not start over files that are gone or broken: it says which file, and the way out.

The table has every file that is in a data directory after a run, and every way in which one can be broken.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from servers import processes
from vestibule.alerts import AlertType, build_alert_engine
from vestibule.business_logic_service.main import create_app as create_logic
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.main import create_app as create_database
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import KeyRingUnreadable, create_key_ring
from vestibule.policy.receipts import ensure_receipt_key, read_receipt_keys
from vestibule.processor_adapters.settings import open_policy
from vestibule.runtime.starts import StartRefused
from vestibule.service_kit.auth.service_secret import ServiceSecretMissing
from vestibule.service_kit.auth.token_file import InvalidTokenFile, create_token

# What `vestibule serve` ends with 78 for.
ERRORS = (ValueError, OSError, ServiceSecretMissing, KeyRingUnreadable, InvalidTokenFile, StartRefused)
STARTS = ""
DATABASE = r"restore it from a backup.*vestibule db adopt"


def gone(path: Path) -> None:
    """Delete the file."""
    path.unlink()


def empty(path: Path) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def junk(path: Path) -> None:
    """Put something else into it."""
    path.write_bytes(bytes(range(256)) * 32)


def truncated(path: Path) -> None:
    """Cut off its second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def forbidden(path: Path) -> None:
    """Take every permission."""
    path.chmod(0)


WAYS = (gone, empty, junk, truncated, forbidden)
# For each file what the refusal says: gone, empty, junk, truncated, forbidden. Without a text the service starts.
EXPECTED = {
    "vestibule.db": (DATABASE, DATABASE, DATABASE, DATABASE, "permission|unable to open"),
    # Without a mark a database is taken as it is.
    ".vestibule.db.created": (STARTS, STARTS, STARTS, STARTS, "[Pp]ermission"),
    # Without the note of the last commit no loss is noticed.
    ".vestibule.db.last": (STARTS, STARTS, STARTS, STARTS, "[Pp]ermission"),
    "alerts.db": (DATABASE, DATABASE, DATABASE, DATABASE, "permission|unable to open"),
    ".alerts.db.created": (STARTS, STARTS, STARTS, STARTS, "[Pp]ermission"),
    ".alerts.db.lock": (STARTS, STARTS, STARTS, STARTS, "[Pp]ermission"),
    "keys/keyring.json": ("key ring",) * 5,
    "keys/service_secret": ("service_secret",) * 5,
    # Without the file there are no tokens; a revocation leaves an empty list.
    "keys/tokens.json": (STARTS, *("restore it from its backup",) * 4),
    "keys/.tokens.json.lock": (STARTS,) * 5,
    "keys/.keyring.json.lock": (STARTS,) * 5,
    "keys/.receipt_key.pem.lock": (STARTS,) * 5,
    # Without one, a new key is created: receipts have the id of theirs.
    "keys/receipt_key.pem": (STARTS, *("cannot read the receipt key",) * 4),
    # Without a policy, and with an empty one, the built-in one applies.
    "policy.toml": (STARTS, STARTS, *("policy",) * 3),
}
CASES = [
    pytest.param(name, way, expected, id=f"{name}-{way.__name__}")
    for name, all_expected in EXPECTED.items()
    for way, expected in zip(WAYS, all_expected, strict=True)
]


async def run_once(data_dir: Path) -> None:
    """Start the services that read the files, as far as they need no other service, and end them."""
    quiet = {"alert_channels": []}
    open_policy(ClientSettings(data_dir=data_dir, **quiet))
    ensure_receipt_key(data_dir / "keys" / "receipt_key.pem")
    read_receipt_keys(data_dir / "keys" / "receipt_key.pem")
    create_logic(BusinessLogicSettings(data_dir=data_dir, **quiet))
    settings = DatabaseSettings(data_dir=data_dir, database_url="sqlite:", **quiet)
    app = create_database(settings)
    async with app.router.lifespan_context(app):
        engine = build_alert_engine("database", settings)
        await engine.raise_alert(AlertType.TEST, "An alert of the tests.")
    # Its own process, which would do this when it ends, goes on.
    with closing(sqlite3.connect(settings.alert_record_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after a first run."""
    data_dir = tmp_path_factory.mktemp("used")
    (data_dir / "keys").mkdir()
    (data_dir / "keys" / "service_secret").write_text("s" * 43)
    create_key_ring(data_dir / "keys" / "keyring.json")
    create_token(data_dir / "keys" / "tokens.json", "caller", ["read"])
    (data_dir / "policy.toml").write_text('default = "block"\n\n[entities]\nEMAIL_ADDRESS = "redact"\n')
    processes.run_apart(run_once, data_dir)
    return data_dir


def test_the_table_has_every_file(used: Path) -> None:
    """A file that is new in the data directory has to say what happens when it breaks."""
    files = {str(path.relative_to(used)) for path in used.rglob("*") if path.is_file()}
    assert set(EXPECTED) == {name for name in files if not name.endswith(("-wal", "-shm", ".dispatcher.lock"))}


@pytest.mark.parametrize(("name", "way", "expected"), CASES)
async def test_a_broken_file_is_refused(
    used: Path, tmp_path: Path, name: str, way: Callable[[Path], None], expected: str
) -> None:
    """The refusal names the cause and the way out; the file stays as it is."""
    if way is forbidden and os.geteuid() == 0:
        pytest.skip("root may read everything")
    data_dir = tmp_path / "var"
    shutil.copytree(used, data_dir, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    way(data_dir / name)
    before = (data_dir / name).read_bytes() if way is not gone and way is not forbidden else None
    if expected == STARTS:
        await run_once(data_dir)
        return
    with pytest.raises(ERRORS, match=expected):
        await run_once(data_dir)
    if before is not None:
        assert before == (data_dir / name).read_bytes()
