"""Faults that tests inject into a running system, and the load that it is under meanwhile."""

import os

import pytest

# How many tasks each fault meets; 0: `make test`, which does all in a short form.
TASKS = int(os.environ.get("VESTIBULE_FAULT_TASKS", "0"))
at_length = pytest.mark.skipif(not TASKS, reason="takes its time: make faults")
