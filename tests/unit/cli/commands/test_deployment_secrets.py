"""The secrets of a deployment: made as a file for Podman and Kubernetes, and put where the services read them."""

import base64
import io
import shutil
import subprocess
import sys
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from vestibule.cli import program
from vestibule.cli.commands import deployment_secrets
from vestibule.cli.commands.deployment_secrets import PART_SECRETS, SECRET_PATTERNS
from vestibule.cli.main import app
from vestibule.encryption import KeyRingFile
from vestibule.service_kit.auth.authentication import Credentials
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import TokenFile, read_records

Entries = dict[str, bytes]
ROOT = Path(__file__).parents[4]


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


def test_a_secret_from_before_the_console_still_serves(tmp_path, made):
    """That of its cookies is made of the services' secret then, the same at each start, and does not show it."""
    before = {name: content for name, content in made[0].items() if name != "console_secret"}
    source = mount(tmp_path / "before", before)
    for target in ("first", "second"):
        words = ["secrets", "install", "--by-part", str(source), str(tmp_path / target)]
        assert 0 == CliRunner().invoke(app, words).exit_code
    first, second = ((tmp_path / one / "console" / "console_secret").read_bytes() for one in ("first", "second"))
    assert first == second
    assert SECRET_PATTERNS["console_secret"].fullmatch(first)
    assert before["service_secret"] not in first


@pytest.mark.parametrize("name", sorted(SECRET_PATTERNS.keys() - {"console_secret"}))
def test_a_placeholder_is_refused(tmp_path, made, name):
    """A Secret with an entry that was not made here, or without one, ends the start with the entry's name."""
    changed = mount(tmp_path / "changed", made[0] | {name: b"CHANGE_ME"})
    code, message = install(changed, tmp_path / "target")
    assert 78 == code
    assert name in message
    (changed / name).unlink()
    code, message = install(changed, tmp_path / "target")
    assert (78, f"vestibule: the secret has no {name}\n") == (code, message)


@pytest.mark.parametrize("part", ["client", "worker", "console"])
def test_a_part_says_why_the_secret_was_refused(tmp_path, monkeypatch, made, part):
    """In its own output, where people look, until the secret is a good one; only Redis, which idles, gets a secret."""
    target, changed = tmp_path / "target", mount(tmp_path / "changed", made[0] | {"service_secret": b"CHANGE_ME"})
    by_part = ["secrets", "install", "--by-part"]
    assert 0 == CliRunner().invoke(app, [*by_part, str(changed), str(target)]).exit_code
    assert {"refused"} == {path.name for path in (target / part).iterdir()}
    assert SECRET_PATTERNS["redis_auth.conf"].match((target / "redis" / "redis_auth.conf").read_bytes())
    monkeypatch.setattr(program, "RESTARTED_AFTER_S", 0)
    own = "console_secret" if part == "console" else "service_secret"
    monkeypatch.setenv(f"VESTIBULE_{own.upper()}_FILE", str(target / part / own))
    monkeypatch.setenv("VESTIBULE_DATA_DIR", str(tmp_path / "data"))
    started = CliRunner().invoke(app, ["worker"] if part == "worker" else ["serve", part])
    assert 78 == started.exit_code
    assert started.stderr.startswith("vestibule: cannot start: service_secret of the secret is not in the form")
    assert 1 == len(started.stderr.splitlines())
    (changed / "service_secret").write_bytes(made[0]["service_secret"])
    assert 0 == CliRunner().invoke(app, [*by_part, str(changed), str(target)]).exit_code
    assert not list(target.rglob("refused"))


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


def made_for_demo() -> Entries:
    """The entries of the Secret of a demo, whose token is the published one."""
    printed = CliRunner().invoke(app, ["secrets", "create", "--demo"])
    secret, token = yaml.safe_load_all(printed.stdout)
    assert b"SECRET_TOKEN" == base64.b64decode(token["data"]["token"])
    return {name: base64.b64decode(text) for name, text in secret["data"].items()}


@pytest.mark.parametrize(
    ("is_on_a_cluster", "is_from_gateway"), [(False, True), (True, False)], ids=["in a pod", "on a cluster"]
)
def test_the_token_of_a_demo_is_for_its_host(tmp_path, monkeypatch, is_on_a_cluster, is_from_gateway):
    """It is accepted for a day, over loopback and in a pod from the gateway of its network; everybody knows it."""
    monkeypatch.setattr(deployment_secrets, "_gateways", lambda: ["10.89.0.1"])
    if is_on_a_cluster:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    target = tmp_path / "target"
    words = ["secrets", "install", "--by-part", str(mount(tmp_path / "mounted", made_for_demo())), str(target)]
    assert 0 == CliRunner().invoke(app, words).exit_code
    (record,) = read_records(target / "client" / "tokens.json")
    assert record.expires_at is not None
    assert timedelta(hours=24) == record.expires_at - record.created_at
    tokens = TokenFile(target / "client" / "tokens.json")
    accepted = {
        address: tokens.find(Credentials("SECRET_TOKEN", is_local=address == "127.0.0.1", direct_address=address))
        for address in ("127.0.0.1", "10.89.0.1", "10.89.0.7", "")
    }
    assert {"127.0.0.1": True, "10.89.0.1": is_from_gateway, "10.89.0.7": False, "": False} == {
        address: caller is not None for address, caller in accepted.items()
    }


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2")
def test_the_gateway_is_that_of_this_machine():
    """As the kernel says it."""
    shown = subprocess.run(["ip", "-4", "route", "show", "default"], capture_output=True, text=True, check=False).stdout
    assert shown.split()[2:3] == deployment_secrets._gateways()[:1]


def create_into(path: Path) -> "subprocess.CompletedProcess[str]":
    """Create secrets with the standard output in a file that everybody may read."""
    path.touch(mode=0o644)
    with path.open("w") as output:
        command = [sys.executable, "-m", "vestibule", "secrets", "create"]
        return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60)


def test_a_file_of_secrets_is_for_its_owner_and_never_for_git(tmp_path):
    """It is made private; where git would take it, or cannot say, nothing is written."""
    assert 0 == create_into(tmp_path / "outside.yaml").returncode
    assert 0o600 == (tmp_path / "outside.yaml").stat().st_mode & 0o777
    tree = tmp_path / "tree"
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    refused = create_into(tree / "secrets.yaml")
    assert (1, True) == (refused.returncode, f"vestibule: {tree}/secrets.yaml would get into git" in refused.stderr)
    assert "" == (tree / "secrets.yaml").read_text()
    (tree / ".gitignore").write_text("secrets.yaml\n")
    assert 0 == create_into(tree / "secrets.yaml").returncode
    assert "kind: Secret" in (tree / "secrets.yaml").read_text()
    (tree / ".git" / "config").write_text("what git cannot read")
    assert 1 == create_into(tree / "secrets.yaml").returncode


def test_the_documented_file_is_not_for_git():
    """This tree ignores the files of the documented commands."""
    names = ["vestibule-secrets.yaml", "deploy/secrets/token", "deploy/tls/certificates/tls.key"]
    asked = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert names == asked.stdout.split()
