"""The spine: one durable log, a cursor per consumer, and books that say where every reading went."""

from gateway.journal.accounting import Account, Ledger, NoJournal, Producer, open_readonly, read_ledger, read_tags
from gateway.journal.database import JournalError, JournalInUse
from gateway.journal.sqlite import SqliteJournal

__all__ = [
    "Account",
    "JournalError",
    "JournalInUse",
    "Ledger",
    "NoJournal",
    "Producer",
    "SqliteJournal",
    "open_readonly",
    "read_ledger",
    "read_tags",
]
