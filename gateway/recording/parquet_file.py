"""Recordings as Parquet: columns `time`, `tag`, `value` and where needed `text` and `quality`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.model import GOOD, Batch, Reason, Tag, TagType, bad, is_usable
from gateway.ports import Unusable
from gateway.recording.cells import batch_of, quality_of
from gateway.recording.dictionary import dump, load
from gateway.recording.page import Wanted
from gateway.recording.times import from_numbers, in_zone

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:  # the extra `parquet` is not installed
    pa = pq = None

_KEY: Final = b"lineside"
_PAGE: Final = 1 << 18
_ROWS: Final = 1 << 20


def _need_pyarrow(file: Path) -> None:
    if pa is None:
        raise Unusable(f"{file}: Parquet needs pyarrow: pip install 'lineside[parquet]'")


class ParquetReader:
    """`page.Reader` of a Parquet file. Unusable: there is no such file, or it is no recording.

    zone: where times without a time zone are from
    """

    def __init__(self, file: Path, zone: ZoneInfo) -> None:
        _need_pyarrow(file)
        self._file, self._zone, self._read = file, zone, 0
        self.ignored: set[str] = set()
        try:
            self._parquet = pq.ParquetFile(file)
        except (OSError, pa.ArrowException) as exc:
            raise Unusable(f"{file}: cannot be read as Parquet: {exc}") from exc
        schema = self._parquet.schema_arrow
        missing = [column for column in ("time", "tag", "value") if column not in schema.names]
        if missing:
            raise Unusable(f"{file}: no column {missing[0]!r}: a recording has time, tag and value")
        self._columns = [name for name in ("time", "tag", "value", "text", "quality") if name in schema.names]
        body = (schema.metadata or {}).get(_KEY)
        self.tags: dict[str, Tag] = load(body) if body else {}

    def _tables(self) -> Iterator[Any]:
        try:
            for page in self._parquet.iter_batches(_PAGE, columns=self._columns):
                self._read += page.num_rows
                yield page
        except (OSError, pa.ArrowException) as exc:
            raise Unusable(f"{self._file}: cannot be read on: {exc}") from exc

    def pages(self, wanted: Mapping[str, Wanted]) -> Iterator[Batch]:
        """See `page.Reader`."""
        for page in self._tables():
            column = {name: page.column(name) for name in self._columns}
            number, names = _coded(column["tag"])
            self.ignored |= set(names) - wanted.keys()
            given = [wanted.get(name) for name in names]
            time_ns, quality = self._times(column["time"]), self._quality(column.get("quality"), page.num_rows)
            if pa.types.is_floating(column["value"].type) or pa.types.is_integer(column["value"].type):
                yield _batch(given, number, time_ns, quality, column)
            else:
                cells = ["" if cell is None else str(cell) for cell in column["value"].to_pylist()]
                yield batch_of([given[i] for i in number.tolist()], time_ns, cells, quality)

    def _times(self, column: Any) -> NDArray[np.int64]:
        if pa.types.is_integer(column.type):
            return from_numbers(column.to_numpy(zero_copy_only=False).astype(np.int64))
        if not pa.types.is_timestamp(column.type):
            raise Unusable(f"{self._file}: the column time has the type {column.type}: it needs timestamps or integers")
        stamps: NDArray[np.int64] = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_numpy()
        return stamps if column.type.tz else in_zone(stamps, self._zone)

    def _quality(self, column: Any, count: int) -> NDArray[np.uint8]:
        if column is None:
            return np.full(count, GOOD, np.uint8)
        if pa.types.is_integer(column.type):
            codes: NDArray[np.uint8] = column.fill_null(GOOD).to_numpy(zero_copy_only=False).astype(np.uint8)
            return codes
        try:
            return quality_of(["" if cell is None else str(cell) for cell in column.to_pylist()])
        except ValueError as exc:
            raise Unusable(f"{self._file}: {exc}") from exc

    def survey(self) -> dict[str, Tag]:
        """See `page.Reader`."""
        texts: dict[str, bool] = {}
        is_number = not pa.types.is_string(self._parquet.schema_arrow.field("value").type)
        for page in self._tables():
            number, names = _coded(page.column("tag"))
            with_text = np.zeros(len(names), bool)
            if not is_number:
                with_text[:] = True
            elif "text" in self._columns:
                with_text[number[page.column("text").is_valid().to_numpy(zero_copy_only=False)]] = True
            for name, has in zip(names, with_text.tolist(), strict=True):
                texts[name] = texts.get(name, False) or has
        return {
            name: Tag(name, TagType.TEXT if has else TagType.FLOAT, source_time=True) for name, has in texts.items()
        }

    @property
    def done(self) -> float:
        """See `page.Reader`."""
        return self._read / max(1, int(self._parquet.metadata.num_rows))

    def close(self) -> None:
        """See `page.Reader`."""
        self._parquet.close()


def _coded(column: Any) -> tuple[NDArray[np.intp], list[str]]:
    """A column of names as numbers, and the names."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    numbers = coded.indices.to_numpy(zero_copy_only=False).astype(np.intp)
    return numbers, [str(name) for name in coded.dictionary.to_pylist()]


def _batch(
    given: list[Wanted | None],
    number: NDArray[np.intp],
    time_ns: NDArray[np.int64],
    quality: NDArray[np.uint8],
    column: Mapping[str, Any],
) -> Batch:
    """Readings whose numbers need no parsing: everything in whole columns."""
    ids = np.array([-1 if one is None else one.tag for one in given] or [-1], np.int32)[number]
    is_text = np.array([one is not None and one.type is TagType.TEXT for one in given] or [False])[number]
    value = column["value"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    gone = ~np.isfinite(value)
    texts: tuple[str, ...] = ()
    if is_text.any() and "text" in column:
        codes, found = _coded(column["text"].fill_null(""))
        value, gone, texts = np.where(is_text, codes, value), gone & ~is_text, tuple(found)
    elif is_text.any():
        gone = gone | is_text
    quality = np.where(gone & is_usable(quality), bad(Reason.MISSING), quality).astype(np.uint8)
    kept = ids >= 0
    return Batch(ids, time_ns.copy(), np.where(gone, 0.0, value), quality, texts).where(kept)


class ParquetWriter:
    """`page.Writer` of a Parquet file with a dictionary."""

    def __init__(self, file: Path, tags: Mapping[str, Tag]) -> None:
        _need_pyarrow(file)
        self._file, self._draft = file, file.with_name(file.name + ".part")
        self._names = list(tags)
        self._waiting: list[Any] = []
        self._place = {name: place for place, name in enumerate(tags)}
        self._is_text = np.array([tag.type is TagType.TEXT for tag in tags.values()] or [False])
        columns = [
            ("time", pa.timestamp("ns", "UTC")),
            ("tag", pa.dictionary(pa.int32(), pa.string())),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("quality", pa.uint8()),
        ]
        schema = pa.schema(columns, metadata={_KEY: dump(tags.values())})
        try:
            self._parquet = pq.ParquetWriter(self._draft, schema, compression="zstd")
        except OSError as exc:
            raise Unusable(f"{file}: {exc.strerror or exc}") from exc

    def write(self, batch: Batch, names: Mapping[int, str]) -> None:
        """See `page.Writer`."""
        if not len(batch):
            return
        place = np.zeros(int(batch.tag.max()) + 1, np.int32)
        for tag in np.unique(batch.tag).tolist():
            place[tag] = self._place[names[tag]]
        number = place[batch.tag]
        is_text, usable = self._is_text[number], is_usable(batch.quality)
        with_text = is_text & usable
        index = pa.array(np.where(with_text, batch.value, 0).astype(np.int32), mask=~with_text)
        texts = pa.DictionaryArray.from_arrays(index, pa.array(batch.texts or [""], pa.string())).cast(pa.string())
        rows = pa.record_batch(
            [
                pa.array(batch.time_ns.astype("datetime64[ns]")).cast(pa.timestamp("ns", "UTC")),
                pa.DictionaryArray.from_arrays(pa.array(number), pa.array(self._names, pa.string())),
                pa.array(batch.value, mask=is_text | ~usable),
                texts,
                pa.array(batch.quality),
            ],
            schema=self._parquet.schema,
        )
        self._waiting.append(rows)
        if sum(part.num_rows for part in self._waiting) >= _ROWS:
            self._flush()

    def _flush(self) -> None:
        self._parquet.write_table(pa.Table.from_batches(self._waiting, self._parquet.schema), row_group_size=_ROWS)
        self._waiting = []

    def close(self) -> None:
        """See `page.Writer`."""
        self._flush()
        self._parquet.close()
        self._draft.replace(self._file)

    def discard(self) -> None:
        """See `page.Writer`."""
        self._parquet.close()
        self._draft.unlink(missing_ok=True)
