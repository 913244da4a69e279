"""What the processes of a service know of each other: memory that they share since the parent forked them."""

import mmap
import time

# A process whose event loop has not said for this long that it runs gets no connections.
STALE_AFTER_S = 3.0
BEAT_EVERY_S = 0.5
_BUILT, _BEAT, _CLOSED, _DRAINING = range(4)
_CELLS, _CELL_BYTES = 4, 8


class ProcessTable:
    """A row for each process, which that process alone writes; the parent clears it before it starts the next one.

    Processes are counted from 0; messages name them from 1.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        # Without a file, so a full disk is nothing to it. A cell is read and written in one piece.
        self._cells = memoryview(mmap.mmap(-1, count * _CELLS * _CELL_BYTES)).cast("d")

    def clear(self, process: int) -> None:
        """Forget what was said of a process."""
        for cell in range(_CELLS):
            self._cells[process * _CELLS + cell] = 0.0

    def note_built(self, process: int) -> None:
        """Say that the settings and files of the service are valid: a process has been built from them."""
        self._cells[process * _CELLS + _BUILT] = 1.0

    def is_built(self, process: int) -> bool:
        """Say whether a process has been built."""
        return self._cells[process * _CELLS + _BUILT] > 0

    def beat(self, process: int) -> None:
        """Say that a process serves requests now."""
        self._cells[process * _CELLS + _BEAT] = time.monotonic()

    def leave(self, process: int) -> None:
        """Say that a process serves no more requests."""
        self._cells[process * _CELLS + _BEAT] = 0.0

    def note_draining(self, process: int) -> None:
        """Say that a process tells its callers that the service shuts down."""
        self._cells[process * _CELLS + _DRAINING] = 1.0

    def are_draining(self) -> bool:
        """Say whether each process that serves tells so."""
        serving = [process for process in range(self.count) if self.is_serving(process)]
        return all(self._cells[process * _CELLS + _DRAINING] > 0 for process in serving)

    def is_serving(self, process: int) -> bool:
        """Say whether a process serves requests."""
        beat = self._cells[process * _CELLS + _BEAT]
        return beat > 0 and time.monotonic() - beat < STALE_AFTER_S

    def count_closed(self, process: int) -> None:
        """Count a connection that was handed to a process and is closed."""
        self._cells[process * _CELLS + _CLOSED] += 1

    def closed(self, process: int) -> int:
        """Return how many of the connections that were handed to a process are closed."""
        return int(self._cells[process * _CELLS + _CLOSED])

    def missing(self) -> list[str]:
        """Return the names of the processes that do not serve requests."""
        return [f"process {process + 1}" for process in range(self.count) if not self.is_serving(process)]
