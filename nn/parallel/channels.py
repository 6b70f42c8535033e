"""Connections between the leader and a worker, over which they wait for each other.

A channel is a pair of pipes. A process that waits is blocked by the kernel, so it leaves its core
to others, and it wakes at once when the other process signals or ends. Pipes also order memory
accesses: whatever was written to shared memory before a signal is visible after it.
"""

import os
from typing import NamedTuple, Self


class Channel(NamedTuple):
    """One end of a connection between two processes."""

    reading: int
    """File descriptor."""
    writing: int
    """File descriptor."""

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return both ends of a new connection."""
        (read_1, write_1), (read_2, write_2) = os.pipe(), os.pipe()
        return cls(read_1, write_2), cls(read_2, write_1)

    def signal(self) -> None:
        """Signal the other end.

        Raises
        ------
        BrokenPipeError
            If the other process has ended.
        """
        os.write(self.writing, b".")

    def wait(self) -> None:
        """Wait for one signal of the other end.

        Raises
        ------
        BrokenPipeError
            If the other process has ended.
        """
        if not os.read(self.reading, 1):
            raise BrokenPipeError

    def close(self) -> None:
        """Close this end."""
        os.close(self.reading)
        os.close(self.writing)
