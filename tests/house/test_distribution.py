"""The distribution that is built is the one whose version the program shows."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import metadata
from pathlib import Path

import vestibule

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = f'version("{PROJECT["name"]}")'


def test_the_program_asks_for_the_version_of_this_distribution() -> None:
    """`__version__` reads the metadata of the name in `pyproject.toml`, which brings `vestibule --version`."""
    assert ASKED in (ROOT / "src" / "vestibule" / "__init__.py").read_text()
    assert PROJECT["name"] == metadata(PROJECT["name"])["Name"]
    assert PROJECT["version"] == vestibule.__version__
    shown = subprocess.run([sys.executable, "-m", "vestibule", "--version"], capture_output=True, text=True, check=True)
    assert PROJECT["version"] in shown.stdout


def test_the_wheel_has_the_name_and_the_files(tmp_path: Path) -> None:
    """A wheel of that name brings the package `vestibule` with its pages and its SQL, and the programs."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
        (described,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        assert PROJECT["name"] == Parser().parsestr(files.read(described).decode())["Name"]
        (programs,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        assert "vestibule = vestibule.cli.entry_point:run" in files.read(programs).decode()
    kept = {"src/" + name for name in names if name.startswith("vestibule/")}
    listed = subprocess.run(["git", "ls-files", "src/vestibule"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set() == {name for name in listed.stdout.split() if (ROOT / name).is_file()} - kept
