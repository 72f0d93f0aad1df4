-- history.db, version 1. Every table but `chunk` and `block` is plain SQL for any SQLite reader.

CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, newest_ms INTEGER NOT NULL);
INSERT INTO cursor VALUES (1, 0, 0);

CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, unit TEXT NOT NULL);
CREATE INDEX tag_name ON tag (name);

CREATE TABLE latest (tag INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, value REAL, text TEXT, quality INTEGER NOT NULL);

-- time_s: the minute's start, seconds since 1970 UTC; last_ms: ms from the minute's start to its last reading.
-- Time leads the key, so that a flush appends to few pages whatever the number of tags.
CREATE TABLE minute (
    time_s INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    last REAL NOT NULL,
    last_ms INTEGER NOT NULL,
    mean REAL AS (sum / count) VIRTUAL,
    PRIMARY KEY (time_s, tag)
) WITHOUT ROWID;

CREATE TABLE kpi (
    owner TEXT NOT NULL,
    window TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    kpi TEXT NOT NULL,
    value REAL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, window, start_ms, kpi)
) WITHOUT ROWID;

-- Raw readings at rest: one row per tag and span; spans of late readings overlap. `data`: gateway/history/codec.py.
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    tag INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX chunk_tag ON chunk (tag, to_ms);
CREATE INDEX chunk_age ON chunk (to_ms);

-- Raw readings that are not yet settled into chunks: one row per group of tags and flush, folded together now and then.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    tag_group INTEGER NOT NULL,
    folded INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX block_work ON block (tag_group, folded, count);

CREATE VIEW latest_named AS
SELECT name, unit, time_ms / 1000.0 AS time_s, value, text, quality FROM latest JOIN tag ON tag.id = latest.tag;

CREATE VIEW minute_named AS
SELECT name, unit, time_s, count, min, mean, max, last FROM minute JOIN tag ON tag.id = minute.tag;
