"""Reason codes of stops: a tree in the config, whose branches and leaves people book by their path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from gateway.fields import Name, Section
from gateway.kpi.asset import TimeClass

ReasonClass = Literal["setup", "idle", "fault", "blocked", "starved", "planned_stop", "maintenance"]


class ReasonConfig(Section):
    """A reason, and finer ones under it. `class`: what a stop of this reason is, also for those under it."""

    title: str = ""
    class_: ReasonClass | None = Field(None, alias="class")
    reasons: "dict[Name, ReasonConfig]" = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reasons:
    """Every reason by its code, the path to it: `mechanical/bearing`.

    titles   code → title, the code's last part where the user gave none
    classes  code → class that it gives a stop; None: it leaves the class as the machine said
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, TimeClass | None] = field(default_factory=dict)

    @staticmethod
    def of(config: Mapping[str, ReasonConfig]) -> "Reasons":
        """The reasons of the config section."""
        every = list(_walk(config, "", None))
        return Reasons(
            {code: title for code, title, _ in every},
            {code: None if name is None else TimeClass[name.upper()] for code, _, name in every},
        )


def _walk(
    config: Mapping[str, ReasonConfig], above: str, inherited: ReasonClass | None
) -> Iterator[tuple[str, str, ReasonClass | None]]:
    for name, reason in config.items():
        given = reason.class_ or inherited
        yield above + name, reason.title or name, given
        yield from _walk(reason.reasons, f"{above}{name}/", given)
