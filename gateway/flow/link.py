"""The state of one connection, kept by `flow` for the board, the health tags and the logs."""

import logging
from dataclasses import dataclass, field

from gateway.ports import Clock


@dataclass(slots=True)
class Link:
    """A source's or sink's connection: up, or why it is not, and since when. Logs the changes, not the repetitions.

    position  newest journal position that this consumer has taken
    """

    name: str
    clock: Clock
    up: bool = False
    reason: str = "not connected yet"
    since_ns: int = 0
    losses: int = 0
    readings: int = 0
    rejects: int = 0
    position: int = 0
    _log: logging.Logger = field(init=False)

    def __post_init__(self) -> None:
        self._log = logging.getLogger(f"lineside.{self.name}")
        self.since_ns = self.clock.wall_ns()

    def connected(self) -> None:
        """It works (again)."""
        if not self.up:
            self._log.info("connected")
            self.up, self.reason, self.since_ns = True, "", self.clock.wall_ns()

    def lost(self, reason: str) -> None:
        """It does not work, and why."""
        if self.up or self.reason != reason:
            self._log.warning("not connected: %s", reason)
        if self.up:
            self.losses += 1
            self.since_ns = self.clock.wall_ns()
        self.up, self.reason = False, reason
