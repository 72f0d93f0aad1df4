"""`lineside status`: the journal's books, read while the gateway runs or after it stopped."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.config import Config
from gateway.journal import Ledger, open_readonly, read_ledger
from gateway.journal.accounting import rows

_BY_ITSELF: Final = {
    "kpi": "commits its own file once a minute; until then readings wait here as well",
    "history": "its own file is durable every 30 s; until then readings wait here as well",
}


def print_status(config: Config, console: Console, *, as_json: bool, letters: int) -> None:
    """Prints cursors, lag, bytes, drops and the newest dead letters. NoJournal: there is no journal yet."""
    db = open_readonly(config.journal_path)
    ledger = read_ledger(db)
    newest = rows(
        db, "SELECT time_ms, consumer, origin, reason, body FROM dead_letter ORDER BY id DESC LIMIT ?", letters
    )
    db.close()
    if as_json:
        console.print_json(json.dumps(asdict(ledger)))
        return
    limit = config.root.journal.max_size
    console.print(
        f"journal {config.journal_path}: {_size(ledger.bytes)} of {_size(limit)}, {ledger.batches:,} batches, "
        f"newest position {ledger.newest:,}, {ledger.dead_letters:,} dead letters"
    )
    console.print(_consumers(ledger, config))
    console.print(_producers(ledger))
    if newest:
        console.print(_letters(newest, ZoneInfo(config.root.timezone)))


def _consumers(ledger: Ledger, config: Config) -> Table:
    table = Table(title="consumers: ingested = delivered + waiting + dead + dropped", title_justify="left")
    table.add_column("consumer")
    for column in ("cursor", "ingested", "delivered", "waiting", "dead", "dropped"):
        table.add_column(column, justify="right")
    table.add_column("note")
    for a in ledger.accounts:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in a.dropped.items()) or "0"
        note = _BY_ITSELF.get(a.consumer, "") if a.active else "not in the config any more"
        note = note if a.balanced else "books do not balance: please report this"
        numbers = (a.position, a.ingested, a.delivered, a.buffered, a.dead)
        table.add_row(a.consumer, *(f"{number:,}" for number in numbers), dropped, note)
    return table


def _producers(ledger: Ledger) -> Table:
    table = Table(title="producers", title_justify="left")
    table.add_column("producer")
    for column in ("readings", "lost (disk full)"):
        table.add_column(column, justify="right")
    for p in ledger.producers:
        table.add_row(p.name, f"{p.ingested:,}", f"{p.lost:,}")
    return table


def _letters(newest: list[tuple[Any, ...]], zone: ZoneInfo) -> Table:
    """Payloads that could not be parsed, and rows that a sink will never accept."""
    table = Table(title="newest dead letters", title_justify="left")
    for column in ("when", "from", "why", "payload"):
        table.add_column(column)
    for time_ms, consumer, origin, reason, body in newest:
        when = datetime.fromtimestamp(time_ms / 1000, zone).isoformat(" ", "seconds")
        payload = f"{len(body):,} bytes" if consumer else repr(body[:40])[1:] + ("…" if len(body) > 40 else "")
        table.add_row(when, Text(f"sink {consumer}" if consumer else origin), Text(reason), Text(payload))
    return table


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.1f} {unit}" if unit != "B" else f"{count:.0f} B"
