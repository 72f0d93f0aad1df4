"""The time classes as people see them: a word, a fill and an ink per theme. The one place for these colours."""

from dataclasses import dataclass
from typing import Final, Literal

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a time class is shown. `ink` is the text colour on the fill: contrast of 4.5 or more."""

    word: str
    light: str
    dark: str
    ink: str = "#ffffff"
    dark_ink: str = ""
    hatched: bool = False

    def fill(self, theme: Theme) -> str:
        """The area's colour in a theme."""
        return self.light if theme == "light" else self.dark

    def ink_in(self, theme: Theme) -> str:
        """The colour of words on it in a theme."""
        return self.dark_ink or self.ink if theme == "dark" else self.ink


LOOKS: Final[dict[str, Look]] = {
    "producing": Look("Producing", "#1c7c4c", "#1f8453"),
    "setup": Look("Set-up", "#2f66b8", "#386fc2"),
    "idle": Look("Idle", "#f0b323", "#e5a820", ink="#201a05"),
    "fault": Look("Fault", "#c62828", "#d03232"),
    "blocked": Look("Blocked", "#7b4ab5", "#8556bf"),
    "starved": Look("Starved", "#a8481c", "#b04f21"),
    "minor_stop": Look("Minor stop", "#d9730d", "#d9730d", ink="#201a05"),
    "planned_stop": Look("Planned stop", "#5a6876", "#5f6e7d"),
    "maintenance": Look("Maintenance", "#2c7a7b", "#2f7f80"),
    "unplanned": Look("Not planned", "#9aa5b0", "#46525e", ink="#14191f", dark_ink="#ffffff"),
    "unknown": Look("Unknown", "#d3d9df", "#aab4be", ink="#1b2229", hatched=True),
}


METERED: Final = "metered"
ELECTRICITY: Final = Look("Electricity", "#27496d", "#8fc0f0")
"""How the energy of assets without a state is shown, under the class METERED."""


def stylesheet() -> str:
    """The palette as CSS: `--fill` and `--ink` for every element that carries `data-class`."""
    return f"{_rules('light')}\n@media (prefers-color-scheme: dark) {{\n{_rules('dark')}\n}}\n"


def _rules(theme: Theme) -> str:
    return "\n".join(
        f'[data-class="{name}"] {{ --fill: {look.fill(theme)}; --ink: {look.ink_in(theme)}; }}'
        for name, look in LOOKS.items()
    )
