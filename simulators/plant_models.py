"""The parts of a scenario besides machines, faces and faults: calendar, products, orders, lines, air, meters."""

from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from simulators.fields import Name, Section
from simulators.quantities import Flow, Share, Watts

Names = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


def _hours(text: object) -> object:
    for clock in text.split("-") if isinstance(text, str) and text.count("-") == 1 else ("",):
        try:
            time.fromisoformat(clock)
        except ValueError as exc:
            raise ValueError(f"{text!r}: {clock!r} is no time of a day; write hours like 06:00-14:00") from exc
    return text


Hours = Annotated[str, BeforeValidator(_hours)]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class CalendarSpec(Section):
    """When the plant works, in local time; a shift may end on the next day."""

    days: str = "mon-sun"
    shifts: dict[Name, Hours] = Field(min_length=1)
    breaks: list[Hours] = []
    holidays: list[date] = []

    @field_validator("days")
    @classmethod
    def _two_days(cls, days: str) -> str:
        if len(ends := days.split("-")) != 2 or set(ends) - set(DAYS):
            raise ValueError(f"{days!r} are no days of a week: write mon-fri, with {', '.join(DAYS)}")
        return days


class ProductSpec(Section):
    """How a product differs: factors on each machine's cycle time, power and scrap."""

    cycle: float = Field(1.0, gt=0)
    power: float = Field(1.0, gt=0)
    scrap: float = Field(1.0, ge=0)


class OrderSpec(Section):
    """So many good parts of a product (counted at the first machine of the line that makes them)."""

    order: str | None = None
    product: str
    quantity: int = Field(gt=0)
    line: str | None = None


class GeneratedOrders(Section):
    """Orders without end: products in turn or at random, quantities evenly between the two."""

    products: Literal["in turn", "at random"] = "in turn"
    quantity: tuple[int, int]

    @field_validator("quantity")
    @classmethod
    def _rising(cls, quantity: tuple[int, int]) -> tuple[int, int]:
        if not 0 < quantity[0] <= quantity[1]:
            raise ValueError("write quantities as [smallest, largest], like [2000, 5000]")
        return quantity


class LineSpec(Section):
    """Machines that hand parts on in series; a list inside the list works in parallel."""

    area: str = ""
    machines: list[Names]
    buffers: list[int] = []
    orders: GeneratedOrders | None = None

    @model_validator(mode="after")
    def _buffer_between_each(self) -> Self:
        if len(self.buffers) != len(self.machines) - 1:
            raise ValueError(
                f"{len(self.machines)} machines in series need {len(self.machines) - 1} buffers, one between each two;"
                f" here are {len(self.buffers)}"
            )
        if any(size < 1 for size in self.buffers):
            raise ValueError("a buffer holds at least one part")
        return self


class AirSpec(Section):
    """The compressed air net: what leaks at all times, and the receiver in litres."""

    leak: Flow = 0.0
    receiver_litres: float = Field(2000.0, gt=0)


class MeterSpec(Section):
    """A meter above machines, lines and other meters; `base` is a load that no machine has (light, servers).

    `of` takes patterns too: `press-*`.
    """

    of: Names = []
    carrier: Literal["electricity", "air", "water", "gas"] = "electricity"
    accuracy: Share = 0.0
    base: Watts = 0.0
