-- kpi.db, version 2. Any SQLite reader may open it; only the engine writes.
-- {quantities} stands for the columns of gateway.kpi.buckets.quantities, each INTEGER NOT NULL: µs, counts, mWh.
-- Where a column is called `asset`, rows of `line/<line>`, `area/<area>` and `site/<site>` stand beside those of assets.
-- A window is final when progress.final_ms has passed its end.
-- revision: NULL while the window is open, 0 when it was first published, then one more with each change.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- what an asset was when: the record that a minute was computed with
CREATE TABLE model (
    asset TEXT NOT NULL, valid_from_ms INTEGER NOT NULL, hash TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (asset, valid_from_ms)
) WITHOUT ROWID;

-- how far an owner is: its first and newest fact, minutes before closed_ms are published, before final_ms final
CREATE TABLE progress (
    owner TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, newest_ms INTEGER NOT NULL, horizon_ms INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL, final_ms INTEGER NOT NULL, sealed_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- facts as sorted columns; parts of one hour are merged when the hour is over. owner: asset or source/<source>
CREATE TABLE fact (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL, role TEXT NOT NULL, hour INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (owner, role, hour, part)
);
CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL);

-- what people and order systems say about a stretch of time; kind: stop, planned, order or product
CREATE TABLE interval (
    asset TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
    value TEXT NOT NULL, revision INTEGER NOT NULL, usable INTEGER NOT NULL,
    PRIMARY KEY (asset, id)
) WITHOUT ROWID;

-- what people booked, every revision
CREATE TABLE entry (
    asset TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, usable INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (id, revision)
) WITHOUT ROWID;
CREATE INDEX entry_time ON entry (asset, from_ms);

-- what changed numbers that were final, and who asked for it
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, owner TEXT NOT NULL,
    by TEXT NOT NULL, detail TEXT NOT NULL
);

CREATE TABLE segment (
    asset TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, class TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (asset, from_ms)
) WITHOUT ROWID;

CREATE TABLE minute (
    asset TEXT NOT NULL, minute INTEGER NOT NULL, {quantities},
    revision INTEGER NOT NULL, final INTEGER NOT NULL, model TEXT NOT NULL,
    PRIMARY KEY (asset, minute)
) WITHOUT ROWID;
-- the minutes of an asset that knows its products or orders, split by them; a minute is the sum of its slices
CREATE TABLE slice (
    asset TEXT NOT NULL, minute INTEGER NOT NULL, product TEXT NOT NULL, order_id TEXT NOT NULL, {quantities},
    PRIMARY KEY (asset, minute, product, order_id)
) WITHOUT ROWID;
CREATE TABLE slice_day (
    asset TEXT NOT NULL, business_date TEXT NOT NULL, product TEXT NOT NULL, order_id TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, {quantities},
    PRIMARY KEY (asset, business_date, product, order_id)
) WITHOUT ROWID;
CREATE INDEX slice_day_order ON slice_day (order_id); -- an order is asked for whole, whenever it ran
CREATE TABLE quarter (
    asset TEXT NOT NULL, quarter INTEGER NOT NULL, {quantities},
    PRIMARY KEY (asset, quarter)
) WITHOUT ROWID;
CREATE TABLE hour (
    asset TEXT NOT NULL, hour INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, {quantities},
    revision INTEGER,
    PRIMARY KEY (asset, hour)
) WITHOUT ROWID;
CREATE TABLE day (
    asset TEXT NOT NULL, business_date TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, {quantities},
    revision INTEGER,
    PRIMARY KEY (asset, business_date)
) WITHOUT ROWID;
CREATE TABLE shift (
    asset TEXT NOT NULL, business_date TEXT NOT NULL, shift TEXT NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, {quantities},
    revision INTEGER,
    PRIMARY KEY (asset, business_date, shift)
) WITHOUT ROWID;

-- sums of the days of a week (from Monday on, named by its date) and of a month, kept from when they are over
CREATE TABLE week (
    asset TEXT NOT NULL, monday TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, {quantities},
    revision INTEGER,
    PRIMARY KEY (asset, monday)
) WITHOUT ROWID;
CREATE TABLE month (
    asset TEXT NOT NULL, month TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, {quantities},
    revision INTEGER,
    PRIMARY KEY (asset, month)
) WITHOUT ROWID;

-- measured values of an hour (since 1970): how many, sums and ranges of subgroups in whole steps from an origin
CREATE TABLE measure (
    asset TEXT NOT NULL, name TEXT NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL,
    total INTEGER NOT NULL, squares INTEGER NOT NULL,
    subgroup INTEGER NOT NULL, groups INTEGER NOT NULL, ranges INTEGER NOT NULL, left_out INTEGER NOT NULL,
    origin REAL NOT NULL, step REAL NOT NULL,
    PRIMARY KEY (asset, name, hour)
) WITHOUT ROWID;

-- results on their way to the journal: the batch's tag ids are those of outbox_tag
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE outbox_tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, unit TEXT NOT NULL);
