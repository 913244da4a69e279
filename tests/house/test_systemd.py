"""The units for systemd are ones that systemd takes, shut in what they run, and fit the program."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "vestibule.service"
POD_UNIT = DEPLOY / "systemd" / "vestibule-pod.service"
# Where distributions put the program that makes units of quadlet files; Podman has it from 4.4 on.
QUADLETS = ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet")
# Of 10: below 2 is what systemd itself calls OK, with room for the network that the service is for.
MOST_EXPOSED = 2.0


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program and a user that are on every machine."""
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    path = tmp_path / "vestibule.service"
    path.write_text(text.replace("User=vestibule", "User=daemon").replace("Group=vestibule\n", ""))
    return path


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_understands_the_unit(unit: Path) -> None:
    """Every directive is known, and every value is one."""
    ended = analyze("verify", "--man=no", str(unit))
    # It looks at other units of the machine as well, which may have faults of their own.
    assert [] == [line for line in ended.stderr.splitlines() if "vestibule" in line]


def test_systemd_understands_the_unit_of_the_pod(tmp_path: Path) -> None:
    """As it is, with a program that is on every machine."""
    path = tmp_path / POD_UNIT.name
    path.write_text(POD_UNIT.read_text().replace("/usr/bin/podman", "/bin/true"))
    ended = analyze("verify", "--man=no", str(path))
    assert [] == [line for line in ended.stderr.splitlines() if "vestibule" in line]


def test_podman_makes_a_unit_of_the_quadlet_file(tmp_path: Path) -> None:
    """It plays the file beside it, and takes the pod away at the end."""
    quadlet = next((path for path in QUADLETS if Path(path).exists()), None)
    if quadlet is None:
        pytest.skip("needs the quadlet of Podman 4.4 or newer")
    shutil.copy(DEPLOY / "quadlet" / "vestibule.kube", tmp_path)
    shutil.copy(DEPLOY.parent / "pod.yaml", tmp_path)
    ended = subprocess.run(
        [quadlet, "-dryrun"], env={"QUADLET_UNIT_DIRS": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert 0 == ended.returncode, ended.stderr
    made = ended.stdout
    assert re.search(rf"^ExecStart=\S+ kube play --replace .*{tmp_path}/pod.yaml$", made, re.MULTILINE), made
    assert re.search(rf"^ExecStop\w*=\S+ kube down {tmp_path}/pod.yaml$", made, re.MULTILINE), made


def test_the_unit_is_shut_in(unit: Path) -> None:
    """What the service does not need is forbidden to it."""
    ended = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"exposure level for \S+: ([\d.]+)", ended.stdout)
    if found is None:
        pytest.skip("this systemd-analyze looks at running units alone")
    assert float(found[1]) < MOST_EXPOSED


def test_the_published_token_is_not_good_there() -> None:
    """Without a file that sets another the unit does not start, and it restarts nothing that would fail again."""
    lines = UNIT.read_text().splitlines()
    assert "EnvironmentFile=/etc/vestibule/vestibule.env" in lines
    assert "RestartPreventExitStatus=2 78" in lines
    assert any("VESTIBULE_DEV_TOKEN=" in line and "> /etc/vestibule/vestibule.env" in line for line in lines)
