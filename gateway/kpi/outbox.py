"""Results in kpi.db that wait until the journal has them."""

from typing import Any

import apsw

from gateway.model import Tag, TagType


class Outbox:
    """The statements over tables `outbox` and `outbox_tag`; writes run inside the store's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def tag(self, tag: Tag) -> int:
        """The outbox's own number of a tag, which the journal may not know yet."""
        found = self._db.execute("SELECT id FROM outbox_tag WHERE name = ?", (tag.name,)).fetchone()
        if found is None:
            self._db.execute("INSERT INTO outbox_tag (name, type, unit) VALUES (?,?,?)", (tag.name, tag.type, tag.unit))
            return self._db.last_insert_rowid()
        return int(found[0])

    def has(self, tag: Tag) -> bool:
        """Whether the tag was ever used."""
        return self._db.execute("SELECT 1 FROM outbox_tag WHERE name = ?", (tag.name,)).fetchone() is not None

    def put(self, body: bytes) -> None:
        """Adds a batch of results; its seq is never used again."""
        self._db.execute("INSERT INTO outbox (body) VALUES (?)", (body,))

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """seq and body of the oldest batches after a seq."""
        sql = "SELECT seq, body FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"
        found: list[Any] = self._db.execute(sql, (after, limit)).fetchall()
        return found

    def tags(self) -> dict[int, Tag]:
        """Every tag of the outbox by its number."""
        found = self._db.execute("SELECT id, name, type, unit FROM outbox_tag")
        return {number: Tag(name, TagType(kind), unit) for number, name, kind, unit in found}

    def trim(self, seq: int) -> None:
        """Forgets batches that the journal has."""
        self._db.execute("DELETE FROM outbox WHERE seq <= ?", (seq,))
