"""Keeps the tests away from what others have, and takes away what tests left, also those that were cut off."""

from collections.abc import Iterator
from contextlib import contextmanager

from containers.pod import refuse_where_one_is, remove_all
from containers.podman import Podman

# There while tests run: what has the names of `pod.yaml` is theirs then.
MARK = "vestibule-tests-run"


@contextmanager
def leaving_nothing(podman: Podman) -> Iterator[None]:
    """Begin on a machine without a pod of ours, and end on one."""
    if podman.has("volume", MARK):
        remove_all(podman)
    refuse_where_one_is(podman)
    podman.call("volume", "create", MARK)
    try:
        yield
    finally:
        remove_all(podman)
        podman.tidy()
        podman.call("volume", "rm", MARK)
