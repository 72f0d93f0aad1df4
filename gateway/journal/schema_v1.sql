-- journal.db: the spine. One writer; see docs/journal.md.
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 1), ('epoch', 0), ('total', 0);

-- Ids are never reused; a changed definition of a name is a new row.
CREATE TABLE tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    unit TEXT NOT NULL,
    counter INTEGER NOT NULL,
    modulus INTEGER NOT NULL,
    period_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    source_time INTEGER NOT NULL DEFAULT 0,
    UNIQUE (name, config_hash)
);

-- One row per delivery; `total` counts all readings up to and including it.
CREATE TABLE batch (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    n INTEGER NOT NULL,
    total INTEGER NOT NULL,
    body BLOB NOT NULL
);

-- `lost`: readings that never reached the disk (disk full), of all that the producer delivered.
CREATE TABLE producer (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, ingested INTEGER NOT NULL, lost INTEGER NOT NULL);

-- `position` and `total`: done up to here; `start_total`: where this consumer began.
CREATE TABLE consumer (
    name TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    position INTEGER NOT NULL,
    total INTEGER NOT NULL,
    start_total INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    dead INTEGER NOT NULL
);
CREATE TABLE dropped (
    consumer TEXT NOT NULL,
    reason TEXT NOT NULL,
    readings INTEGER NOT NULL,
    PRIMARY KEY (consumer, reason)
) WITHOUT ROWID;

-- Payloads that could not be parsed (consumer '') and rows that a sink will never accept.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);
