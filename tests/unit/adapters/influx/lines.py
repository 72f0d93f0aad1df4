"""A strict parser of line protocol, written from its description and from nothing of ours."""

from dataclasses import dataclass

Value = float | int | bool | str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: measurement, labels, fields, time stamp."""

    measurement: str
    labels: dict[str, str]
    fields: list[tuple[str, Value]]
    time: int


def parse(body: bytes) -> list[Line]:
    """Every line of a body. ValueError: one that a store would refuse."""
    lines, rest = [], body.decode()
    while rest:
        line, rest = _line(rest)
        lines.append(line)
    return lines


def _line(text: str) -> tuple[Line, str]:
    measurement, stop, text = _name(text, ", ", plain="=")
    labels: dict[str, str] = {}
    while stop == ",":
        key, _, text = _name(text, "=")
        value, stop, text = _name(text, ", ")
        if key in labels:
            raise ValueError(f"label {key!r} twice")
        labels[key] = value
    fields: list[tuple[str, Value]] = []
    more = ","
    while more == ",":
        key, _, text = _name(text, "=")
        found, more, text = _value(text)
        fields.append((key, found))
    stamp, newline, text = text.partition("\n")
    if not newline:
        raise ValueError("the last line does not end")
    return Line(measurement, labels, fields, int(stamp)), text


def _name(text: str, stops: str, plain: str = "") -> tuple[str, str, str]:
    """An escaped name, the character that ended it, and what follows."""
    found, at = "", 0
    while text[at] not in stops:
        if text[at] in ",= \n" and text[at] not in plain:
            raise ValueError(f"{text[at]!r} must be escaped at {text[:40]!r}")
        if text[at] == "\\":
            at += 1
            if text[at] not in ",= ":
                raise ValueError(f"stores disagree about a backslash before {text[at]!r}")
        found += text[at]
        at += 1
    if not found:
        raise ValueError("empty name")
    return found, text[at], text[at + 1 :]


def _value(text: str) -> tuple[Value, str, str]:
    if text[0] == '"':
        return _text(text)
    end = min(at for at in (text.find(","), text.find(" ")) if at >= 0)
    word, stop, rest = text[:end], text[end], text[end + 1 :]
    if word in {"true", "false"}:
        return word == "true", stop, rest
    if word.endswith("i"):
        number = int(word[:-1])
        if not -(2**63) <= number < 2**63:
            raise ValueError(f"{word} is beyond int64")
        return number, stop, rest
    if not set(word) <= set("0123456789.e+-"):
        raise ValueError(f"{word!r} is no number")
    return float(word), stop, rest


def _text(text: str) -> tuple[str, str, str]:
    found, at = "", 1
    while text[at] != '"':
        if text[at] == "\\" and text[at + 1] in '"\\':
            at += 1
        found += text[at]
        at += 1
    return found, text[at + 1], text[at + 2 :]
