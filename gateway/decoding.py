"""`lineside decode`: what registers mean, in every type and order."""

import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Listing

from adapters.modbus.doctor import Guess, guesses
from adapters.modbus.frames import Failure, Read
from adapters.modbus.point import Table, width
from adapters.modbus.probe import probing
from gateway.clock import SystemClock
from gateway.ports import NotConnected, Unusable

_SHOWN = 12
_MOST = 125


def parse_words(texts: Sequence[str], decimal: bool) -> list[int]:
    """Registers from `42C8 0000`, `0x42C8`, `42C80000`, or decimal numbers. Unusable: says what they look like."""
    form = "17096 0" if decimal else "42C8 0000"
    words: list[int] = []
    for text in re.split(r"[\s,;]+", " ".join(texts).strip()):
        digits = text if decimal else text.lower().removeprefix("0x")
        if not re.fullmatch(r"\d{1,5}" if decimal else r"[0-9a-f]{1,4}|([0-9a-f]{4})+", digits):
            raise Unusable(f"{text!r} is not a register: write {form}")
        words += [int(digits)] if decimal else [int(digits[at : at + 4], 16) for at in range(0, len(digits), 4)]
    if max(words) > 0xFFFF or len(words) > _MOST:
        raise Unusable(f"write at most {_MOST} registers, each from 0 to 65535")
    return words


async def read_words(endpoint: str, read: Read, timeout_s: float) -> list[int]:
    """Registers of a device, now. Unusable: says why there are none."""
    try:
        async with probing(endpoint, timeout_s, 0.0, SystemClock()) as probe:
            answer = await probe.read(read)
    except NotConnected as exc:
        raise Unusable(str(exc)) from exc
    if isinstance(answer, Failure):
        raise Unusable(f"{endpoint}: {answer.text}")
    return [int.from_bytes(answer.data[at : at + 2], "big") for at in range(0, len(answer.data), 2)]


def print_decoded(
    words: Sequence[int], base: int, expect: float | str | None, within: float, console: Console, *, everything: bool
) -> bool:
    """Prints the meanings of an image, the likeliest first; whether there was one that was asked for.

    base: address of the first register
    """
    console.print("registers: " + " ".join(f"{word:04X}" for word in words), markup=False)
    found = guesses(words, expect, within)
    if not found:
        near = expect if isinstance(expect, str) else f"{expect:g} within {100 * within:g} %, at any usual scale"
        console.print(f"nothing in these registers means {near}", style="red", markup=False)
        return False
    shown = found if everything else found[:_SHOWN]
    console.print(_listing(shown, base, expect is not None))
    if len(found) > len(shown):
        console.print(f"{len(found) - len(shown)} less likely ones: --all", style="dim")
    console.print(f"in a profile: {_as_yaml(found[0], base)}", style="dim", markup=False)
    return True


def _listing(found: Sequence[Guess], base: int, expected: bool) -> Listing:
    listing = Listing()
    for column in ("registers", "type", "word_order", "byte_order"):
        listing.add_column(column)
    for column in ("scale", "value", "off by" if expected else "evidence"):
        listing.add_column(column, justify="right")
    for guess in found:
        point = guess.point
        value = guess.value if isinstance(guess.value, str) else f"{guess.value:.10g}"
        last = f"{100 * guess.error:.2g} %" if expected else f"{guess.evidence:.0f} bits"
        first, stop = base + point.address, base + point.end
        where = f"{first}…{stop - 1}" if stop - first > 1 else str(first)
        word_order = point.word_order if point.size > 1 else ""
        byte_order = f"({point.byte} byte)" if width(point.type) == 8 else point.byte_order
        listing.add_row(where, point.type, word_order, byte_order, f"{point.scale:g}", value, last)
    return listing


def _as_yaml(guess: Guess, base: int) -> str:
    """As a profile would say it."""
    point = guess.point
    said = [f"address: {base + point.address}", f"type: {point.type}"]
    said += [f"length: {point.length}"] if point.type == "string" else []
    said += [f"byte: {point.byte}"] if width(point.type) == 8 else []
    said += ["word_order: little"] if point.word_order == "little" else []
    said += ["byte_order: little"] if point.byte_order == "little" else []
    said += [f"scale: {point.scale:g}"] if point.scale != 1 else []
    return f"{{ {', '.join(said)} }}"


def register_table(text: str) -> Table:
    """holding or input. Unusable: it is none of them."""
    if text not in {Table.HOLDING, Table.INPUT}:
        raise Unusable(f"{text!r} holds no registers: write holding or input")
    return Table(text)
