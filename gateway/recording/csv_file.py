"""Recordings as CSV: `time,tag,value[,quality]`, plain or as .gz or .zst."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Final, Literal, cast
from zoneinfo import ZoneInfo

import numpy as np
import zstandard
from numpy.typing import NDArray

from gateway.model import GOOD, Batch, Tag, TagType
from gateway.ports import Unusable
from gateway.recording.cells import batch_of, guess, quality_of, values_as_text, widest
from gateway.recording.dictionary import HEAD, check_head, parse_tag, tag_line
from gateway.recording.page import Wanted
from gateway.recording.times import NotATime, parse_times

_PAGE: Final = 1 << 16
_COLUMNS: Final = ("time", "tag", "value", "quality")
_TAG: Final = "# tag "
_QUALITIES: Final = {code: "" if code == GOOD else str(code) for code in range(256)}
_LEVEL: Final = 3


class CsvReader:
    """`page.Reader` of a CSV file. Unusable: there is no such file, or its first lines are wrong.

    zone: where times without an offset are from
    """

    def __init__(self, file: Path, zone: ZoneInfo) -> None:
        self._file, self._zone = file, zone
        self.tags: dict[str, Tag] = {}
        self.ignored: set[str] = set()
        try:
            self._size = max(1, file.stat().st_size)
            self._raw = file.open("rb")
        except OSError as exc:
            raise Unusable(f"{file}: {exc.strerror}") from exc
        try:
            self._text = self._open()
            self._lines = self._readable()
            self._columns = self._head()
        except BaseException:
            self._raw.close()
            raise

    def _open(self) -> io.TextIOWrapper:
        unpack = _UNPACK.get(self._file.suffix)
        return io.TextIOWrapper(unpack(self._raw) if unpack else self._raw, "utf-8-sig", newline="")

    def _head(self) -> dict[str, int]:
        """Reads up to the line that names the columns; column → its place."""
        self._line = 0
        for line in self._lines:
            self._line += 1
            if line.startswith("# lineside"):
                check_head(line)
            elif line.startswith(_TAG):
                tag = parse_tag(line.removeprefix(_TAG))
                self.tags[tag.name] = tag
            elif not line.startswith("#") and line.strip():
                return self._named(line)
        raise Unusable(f"{self._file}: there is no line that names the columns: time,tag,value")

    def _named(self, line: str) -> dict[str, int]:
        self._separator = next((sep for sep in ",;\t" if sep in line), ",")
        named = [cell.strip().strip('"').lower() for cell in line.split(self._separator)]
        missing = [column for column in _COLUMNS[:3] if column not in named]
        if missing:
            raise Unusable(f"{self._file}:{self._line}: no column {missing[0]!r}: the first line is time,tag,value")
        return {column: named.index(column) for column in _COLUMNS if column in named}

    def _readable(self) -> Iterator[str]:
        """The lines, with what may go wrong in our words."""
        try:
            yield from self._text
        except (OSError, EOFError, UnicodeDecodeError, zstandard.ZstdError) as exc:
            raise Unusable(f"{self._file}: cannot be read on: {exc}") from exc

    def _cells(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Pages of the named columns, each with the number of its first line."""
        rows = csv.reader(self._lines, delimiter=self._separator)
        places = [self._columns[column] for column in _COLUMNS if column in self._columns]
        at = self._line + 1
        while page := [row for row in islice(rows, _PAGE) if row]:
            columns = list(zip(*page, strict=False))  # cuts rows that are longer than the shortest
            if len(columns) <= max(places):
                short = next(row for row, cells in enumerate(page) if len(cells) <= max(places))
                raise Unusable(f"{self._file}:{at + short}: there are too few cells")
            yield at, [columns[place] for place in places]
            at += len(page)

    def _times(self, cells: tuple[str, ...], at: int) -> NDArray[np.int64]:
        try:
            return parse_times(cells, self._zone)
        except NotATime as exc:
            raise Unusable(f"{self._file}:{at + exc.row}: {exc}") from exc

    def _qualities(self, cells: tuple[str, ...] | None, count: int, at: int) -> NDArray[np.uint8]:
        try:
            return np.full(count, GOOD, np.uint8) if cells is None else quality_of(cells)
        except ValueError as exc:
            raise Unusable(f"{self._file}: after line {at}: {exc}") from exc

    def pages(self, wanted: Mapping[str, Wanted]) -> Iterator[Batch]:
        """See `page.Reader`."""
        for at, (times, names, values, *rest) in self._cells():
            self.ignored |= set(names) - wanted.keys()
            time_ns = self._times(times, at)
            quality = self._qualities(rest[0] if rest else None, len(times), at)
            yield batch_of([wanted.get(name) for name in names], time_ns, values, quality)

    def survey(self) -> dict[str, Tag]:
        """See `page.Reader`."""
        found: dict[str, TagType] = {}
        for at, (times, names, values, *_) in self._cells():
            self._times(times, at)
            cells: dict[str, list[str]] = {}
            for name, value in zip(names, values, strict=True):
                cells.setdefault(name, []).append(value)
            for name, said in cells.items():
                found[name] = widest(found.get(name, kind := guess(said)), kind)
        return {name: Tag(name, kind, source_time=True) for name, kind in found.items()}

    @property
    def done(self) -> float:
        """See `page.Reader`."""
        return self._raw.tell() / self._size if not self._raw.closed else 1.0

    def close(self) -> None:
        """See `page.Reader`."""
        self._text.close()
        self._raw.close()


class CsvWriter:
    """`page.Writer` of a CSV file with a dictionary."""

    def __init__(self, file: Path, tags: Mapping[str, Tag]) -> None:
        self._file, self._draft = file, file.with_name(file.name + ".part")
        self._types = {name: tag.type is TagType.TEXT for name, tag in tags.items()}
        try:
            self._raw = self._draft.open("wb")
        except OSError as exc:
            raise Unusable(f"{file}: {exc.strerror}") from exc
        pack = _PACK.get(file.suffix)
        self._text = io.TextIOWrapper(pack(self._raw) if pack else self._raw, "utf-8", newline="")
        self._text.write(
            "\n".join([HEAD, *(_TAG + tag_line(tag) for tag in tags.values()), "time,tag,value,quality\n"])
        )
        self._rows = csv.writer(self._text, lineterminator="\n")

    def write(self, batch: Batch, names: Mapping[int, str]) -> None:
        """See `page.Writer`."""
        if not len(batch):
            return
        is_text = {tag: self._types[name] for tag, name in names.items() if name in self._types}
        unit: Literal["ms", "ns"] = "ms" if not (batch.time_ns % 1_000_000).any() else "ns"
        moments: NDArray[np.datetime64] = batch.time_ns.astype("datetime64[ns]")
        stamps = np.datetime_as_string(moments, unit=unit).tolist()
        tags, values = batch.tag.tolist(), values_as_text(batch, is_text)
        codes = map(_QUALITIES.__getitem__, batch.quality.tolist())
        rows = zip(stamps, tags, values, codes, strict=True)
        self._rows.writerows((stamp + "Z", names[tag], value, code) for stamp, tag, value, code in rows)

    def close(self) -> None:
        """See `page.Writer`."""
        self._text.close()
        self._raw.close()
        self._draft.replace(self._file)

    def discard(self) -> None:
        """See `page.Writer`."""
        self._text.close()
        self._raw.close()
        self._draft.unlink(missing_ok=True)


def _gunzip(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))


def _unzstd(raw: IO[bytes]) -> IO[bytes]:
    stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", stream), 1 << 20))


def _gzip(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=2, mtime=0))


def _zstd(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", zstandard.ZstdCompressor(level=_LEVEL).stream_writer(raw, closefd=False))


_UNPACK: Final = {".gz": _gunzip, ".zst": _unzstd}
_PACK: Final = {".gz": _gzip, ".zst": _zstd}
