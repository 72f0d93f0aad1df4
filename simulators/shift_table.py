"""The true numbers of a shift as a table for a page."""

from collections.abc import Iterator

from simulators.ledger import Ledger
from simulators.line_truth import line_truth
from simulators.truth import Truth, meter_between, truth

MOST_MACHINES = 8
BEGIN, END = "<!-- what is true: begin -->", "<!-- what is true: end -->"


def shift_table(ledger: Ledger, from_ms: int, to_ms: int) -> str:
    """Markdown: OEE and its factors, parts and energy of lines and machines, then what the meters count.

    Of a line: availability, performance and quality rate of its constraint, parts of its last station, energy of all.
    Only the first machines of a large plant; those without an ideal time make no parts and are left out.
    """
    return "\n".join([*_made(ledger, from_ms, to_ms), "", *_metered(ledger, from_ms, to_ms)]) + "\n"


def within(page: str, table: str) -> str:
    """The page with this table between its marks. ValueError: it has no marks."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def _made(ledger: Ledger, from_ms: int, to_ms: int) -> Iterator[str]:
    yield "| | OEE | availability | performance | quality rate | good | scrap | kWh |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for line in ledger.lines:
        told = line_truth(ledger, line, from_ms, to_ms)
        shares = [told["oee"], told["availability"], told["performance"], told["quality_rate"]]
        label = f"**{line}** (constraint: {', '.join(told['constraint'])})"
        yield _row(label, shares, told["output"], told["scrap"], told["energy_kwh"])
    makers = [name for name, book in ledger.machines.items() if any(book.ideal_s.values())]
    for name in makers[:MOST_MACHINES]:
        yield _machine(name, truth(ledger, name, from_ms, to_ms))


def _machine(name: str, told: Truth) -> str:
    shares = [told["oee"], told["availability"], told["performance"], told["quality_rate"]]
    return _row(f"`{name}`", shares, told["good"], told["scrap"], told["energy_kwh"])


def _row(name: str, shares: list[float | None], good: int, scrap: int, kwh: float) -> str:
    told = [f"{100 * share:.1f} %" if share is not None else "–" for share in shares]
    return f"| {name} | {' | '.join(told)} | {good:,} | {scrap:,} | {_short(kwh)} |"


def _metered(ledger: Ledger, from_ms: int, to_ms: int) -> Iterator[str]:
    """One sentence: what each meter shows, its own error with it."""
    told = []
    for name, meter in ledger.meters.items():
        unit = "kWh" if meter.carrier == "electricity" else f"m³ of {meter.carrier}"
        told.append(f"`{name}` {_short(meter_between(ledger, name, from_ms, to_ms))} {unit}")
    yield f"Meters: {', '.join(told)}."


def _short(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
