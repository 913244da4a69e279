"""The secrets of a deployment: made as a file for Podman and Kubernetes, and put where the services read them."""

import base64
import io
import tarfile
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from vestibule.cli.commands.deployment_secrets import PART_SECRETS, SECRET_PATTERNS
from vestibule.cli.main import app
from vestibule.encryption import KeyRingFile
from vestibule.service_kit.auth.authentication import Credentials
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import TokenFile

Entries = dict[str, bytes]


@pytest.fixture(scope="module")
def made() -> list[Entries]:
    """The entries of the two Secrets that are printed."""
    printed = CliRunner().invoke(app, ["secrets", "create", "--scope", "add,run"])
    assert 0 == printed.exit_code
    manifests = list(yaml.safe_load_all(printed.stdout))
    assert ["vestibule-secrets", "vestibule-secrets-token"] == [each["metadata"]["name"] for each in manifests]
    return [{name: base64.b64decode(text) for name, text in each["data"].items()} for each in manifests]


def mount(folder: Path, entries: Entries) -> Path:
    folder.mkdir()
    for name, content in entries.items():
        (folder / name).write_bytes(content)
    return folder


def install(source: Path, target: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["secrets", "install", str(source), str(target)])
    return done.exit_code, done.stderr


@pytest.mark.parametrize("is_decoded", [True, False])
def test_what_is_made_serves_the_services(tmp_path, made, is_decoded):
    """Mounted as Kubernetes does and as old versions of Podman do: keys open, the token is known by its hash alone."""
    secrets, (token,) = made[0], made[1].values()
    mounted = secrets if is_decoded else {name: base64.b64encode(content) for name, content in secrets.items()}
    target = tmp_path / "target"
    assert (0, "") == install(mount(tmp_path / "mounted", mounted), target)
    assert set(SECRET_PATTERNS) == {path.name for path in target.iterdir() if not path.name.startswith(".")}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in target.iterdir()}
    assert KeyRingFile(target / "keyring.json") is not None
    assert ServiceSecret.read(target / "service_secret") is not None
    caller = TokenFile(target / "tokens.json").find(Credentials(token.decode(), is_local=False))
    assert caller is not None
    assert {"add", "run"} == caller.scopes
    assert not any(token in content for content in secrets.values())


def test_each_part_gets_its_own_folder(tmp_path, made):
    """With the secrets that it reads, and no others."""
    words = ["secrets", "install", "--by-part", str(mount(tmp_path / "mounted", made[0])), str(tmp_path / "target")]
    assert 0 == CliRunner().invoke(app, words).exit_code
    for part, names in PART_SECRETS.items():
        folder = tmp_path / "target" / part
        assert set(names) == {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert [made[0][name] for name in names] == [(folder / name).read_bytes() for name in names]


@pytest.mark.parametrize("name", sorted(SECRET_PATTERNS))
def test_a_placeholder_is_refused(tmp_path, made, name):
    """A Secret with an entry that was not made here, or without one, ends the start with the entry's name."""
    changed = mount(tmp_path / "changed", made[0] | {name: b"CHANGE_ME"})
    code, message = install(changed, tmp_path / "target")
    assert 78 == code
    assert name in message
    (changed / name).unlink()
    code, message = install(changed, tmp_path / "target")
    assert (78, f"vestibule: the secret has no {name}\n") == (code, message)


def test_an_archive_has_the_same_as_files(tmp_path):
    """For compose: a folder that is closed to others, files that a container's user can read, and the token for you."""
    printed = CliRunner().invoke(app, ["secrets", "create", "--format", "tar"])
    with tarfile.open(fileobj=io.BytesIO(printed.stdout_bytes)) as archive:
        modes = {member.name: member.mode for member in archive.getmembers()}
        archive.extractall(tmp_path, filter="tar")
    assert {"secrets": 0o700, "secrets/token": 0o600} | {f"secrets/{name}": 0o644 for name in SECRET_PATTERNS} == modes
    assert (0, "") == install(tmp_path / "secrets", tmp_path / "target")
    token = (tmp_path / "secrets" / "token").read_text()
    assert TokenFile(tmp_path / "target" / "tokens.json").find(Credentials(token, is_local=False)) is not None
