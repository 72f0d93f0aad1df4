"""The time classes as people see them: a word, a fill and an ink per theme. The one place for these colours."""

from dataclasses import dataclass
from typing import Final, Literal

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a time class is shown. `ink` is the text colour on `fill`: contrast of 4.5 or more, in both themes."""

    word: str
    light: str
    dark: str
    ink: str = "#ffffff"
    hatched: bool = False

    def fill(self, theme: Theme) -> str:
        """The area's colour in a theme."""
        return self.light if theme == "light" else self.dark


LOOKS: Final[dict[str, Look]] = {
    "producing": Look("Producing", "#1c7c4c", "#1f8453"),
    "setup": Look("Set-up", "#2f66b8", "#386fc2"),
    "idle": Look("Idle", "#f0b323", "#e5a820", ink="#201a05"),
    "fault": Look("Fault", "#c62828", "#d03232"),
    "blocked": Look("Blocked", "#7b4ab5", "#8556bf"),
    "starved": Look("Starved", "#a8481c", "#b04f21"),
    "planned_stop": Look("Planned stop", "#5a6876", "#5f6e7d"),
    "unplanned": Look("Not planned", "#7d8996", "#46525e", ink="#000000"),
    "unknown": Look("Unknown", "#d3d9df", "#aab4be", ink="#1b2229", hatched=True),
}


def stylesheet() -> str:
    """The palette as CSS: `--fill` and `--ink` for every element that carries `data-class`."""
    light = "\n".join(f'[data-class="{name}"] {{ --fill: {k.light}; --ink: {k.ink}; }}' for name, k in LOOKS.items())
    dark = "\n".join(f'[data-class="{name}"] {{ --fill: {k.dark}; --ink: {k.ink}; }}' for name, k in LOOKS.items())
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
