"""Checks of the host: Python and packages, limits, cores."""

import resource
import sys
from collections.abc import Iterator
from importlib import metadata

from vestibule.cli.doctor.examination import Diagnosis, ExaminedSystem, check, cores, error, ok, warning

DISTRIBUTION = "vestibule-intake"
LEAST_PYTHON = (3, 11)
LEAST_DESCRIPTORS = 4096
# A task of Python uses a core; more than so many for each core mostly wait for each other.
MOST_TASKS_A_CORE = 4
UP_WORKERS, UP_CONCURRENCY = 2, 2


@check("python")
def check_python(_installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look at the version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < LEAST_PYTHON:
        yield error(f"Python {version} is too old", "Install Python 3.11 or newer, and run `make setup` again.")
    else:
        yield ok(f"Python {version}")


@check("packages")
def check_packages(_installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Compare the installed packages with what this version requires."""
    from packaging.requirements import Requirement

    try:
        required = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        yield error(f"{DISTRIBUTION} is not installed", "Run `make setup`.")
        return
    wrong = []
    wanted = [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in wanted:
        try:
            installed = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(installed, prereleases=True):
            wrong.append(f"{one.name} {installed} is not {one.specifier}")
    if wrong:
        yield error("; ".join(wrong), "Run `make setup`, which installs the locked versions.")
    else:
        yield ok(f"Vestibule {metadata.version(DISTRIBUTION)} and the {len(wanted)} packages that it needs")


@check("open files")
def check_descriptors(_installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look at how many connections fit; services raise the limit to the hard one themselves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LEAST_DESCRIPTORS:
        remedy = (
            "Raise the hard limit: `LimitNOFILE=` of systemd, `ulimits` of a container, or /etc/security/limits.conf."
        )
        yield warning(f"a process may open {hard:,} files, so few connections fit", remedy)
    else:
        yield ok("no limit of open files" if hard == resource.RLIM_INFINITY else f"{hard:,} open files a process")


@check("cores")
def check_cores(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Compare how many tasks run at a time with the cores."""
    workers = _number(installation.setting("WORKERS"), UP_WORKERS)
    concurrency = _number(installation.setting("CONCURRENCY"), UP_CONCURRENCY)
    tasks, available = workers * concurrency, cores()
    said = f"{workers} workers run {tasks} tasks at a time on {available} cores"
    if tasks > MOST_TASKS_A_CORE * available:
        yield warning(said, "Set VESTIBULE_WORKERS or VESTIBULE_CONCURRENCY lower; `vestibule plan` calculates them.")
    else:
        yield ok(said)


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and int(text) else otherwise
