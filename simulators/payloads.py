"""What MQTT messages look like: JSON, one plain value per topic, or line protocol."""

import json
from collections.abc import Callable, Mapping
from typing import Final

Field = float | int | str
Fields = Mapping[str, Field]
Message = tuple[str, bytes]
"""Topic and payload."""
Style = Callable[[str, str, str, Fields, int], list[Message]]
"""From prefix, name (of a machine or meter), group of fields, fields and their time (epoch ms) to messages."""


def json_messages(prefix: str, name: str, group: str, fields: Fields, at_ms: int) -> list[Message]:
    """One message for the group, with the time as `ts` in epoch ms: `plant/press-01/counts` {"total": 7, …}."""
    payload = json.dumps({**fields, "ts": at_ms}, separators=(",", ":"), ensure_ascii=False)
    return [(f"{prefix}/{name}/{group}", payload.encode())]


def plain_messages(prefix: str, name: str, group: str, fields: Fields, at_ms: int) -> list[Message]:
    """One message for each field, the bare value; nothing says when: `plant/press-01/total` 7."""
    return [(f"{prefix}/{name}/{field}", _plain(value).encode()) for field, value in fields.items()]


def line_messages(prefix: str, name: str, group: str, fields: Fields, at_ms: int) -> list[Message]:
    """One line of line protocol for the group, the time in ns: `counts,name=press-01 total=7i,good=7i 1772…`."""
    written = ",".join(f"{_escaped(field)}={_line_value(value)}" for field, value in fields.items())
    line = f"{_escaped(group)},name={_escaped(name)} {written} {at_ms * 1_000_000}"
    return [(f"{prefix}/{name}", line.encode())]


STYLES: Final[Mapping[str, Style]] = {"json": json_messages, "plain": plain_messages, "line": line_messages}


def _plain(value: Field) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _line_value(value: Field) -> str:
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return f"{value}i" if isinstance(value, int) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")
