"""The plant's time: SimPy's environment in whole milliseconds."""

from simpy import Environment


class Timeline(Environment):
    """Every delay in this plant is a whole number of ms, so the time is one too."""

    @property
    def now(self) -> int:
        """Epoch ms."""
        return self._now  # type: ignore[return-value]
