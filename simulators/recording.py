"""Writes recordings as Lineside reads them (docs/replay.md): readings with their own times, in CSV or Parquet."""

import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

_HEAD: Final = "# lineside recording 1"
_GOOD: Final = 192
_PACK_LEVEL: Final = 2


@dataclass(frozen=True, slots=True)
class RecordedTag:
    """A tag as the recording's dictionary describes it."""

    name: str
    type: str = "float"
    unit: str = ""
    counter: bool = False

    def line(self) -> str:
        """As JSON; what is as usual is left out."""
        said: dict[str, Any] = {"name": self.name}
        said |= {"type": self.type} if self.type != "float" else {}
        said |= {"unit": self.unit} if self.unit else {}
        said |= {"counter": True} if self.counter else {}
        return json.dumps(said | {"source_time": True}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Readings in the order of time: times in epoch ms, tags and texts by their number.

    tag    int32[n]    number of the tag
    value  float64[n]  of text tags the number of the text
    """

    at_ms: NDArray[np.int64]
    tag: NDArray[np.int32]
    value: NDArray[np.float64]


class Writer(Protocol):
    """A recording in the making."""

    def write(self, page: Page, texts: Sequence[str]) -> None:
        """Adds a page."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def create(file: Path, tags: Sequence[RecordedTag]) -> Writer:
    """Begins a recording; it gets its name when it is complete.

    Raises:
        ValueError: the name does not end as a recording's. ImportError: Parquet needs pyarrow. OSError: no such folder.
    """
    if file.suffix == ".parquet":
        return _Parquet(file, tags)
    if not file.name.endswith((".csv", ".csv.gz")):
        raise ValueError(f"{file}: a recording is a file named .parquet, .csv or .csv.gz")
    return _Csv(file, tags)


class _Draft:
    """The file under another name, which it gives up only when everything went well."""

    def __init__(self, file: Path) -> None:
        self.file, self.draft = file, file.with_name(file.name + ".part")

    def end(self, *, well: bool) -> None:
        """Takes the name, or leaves nothing."""
        if well:
            self.draft.replace(self.file)
        else:
            self.draft.unlink(missing_ok=True)


class _Csv:
    def __init__(self, file: Path, tags: Sequence[RecordedTag]) -> None:
        self._draft = _Draft(file)
        self._names = [tag.name for tag in tags]
        self._is_text = np.array([tag.type == "text" for tag in tags])
        raw = self._draft.draft.open("wb")
        packed = gzip.GzipFile("", "wb", _PACK_LEVEL, raw, 0) if file.suffix == ".gz" else raw
        self._raw, self._text = raw, io.TextIOWrapper(packed, "utf-8", newline="")
        self._text.writelines(f"{line}\n" for line in (_HEAD, *(f"# tag {tag.line()}" for tag in tags)))
        self._text.write("time,tag,value\n")

    def write(self, page: Page, texts: Sequence[str]) -> None:
        moments: NDArray[np.datetime64] = page.at_ms.astype("datetime64[ms]")
        stamps = np.datetime_as_string(moments, unit="ms").tolist()
        rows = zip(stamps, page.tag.tolist(), page.value.tolist(), self._is_text[page.tag].tolist(), strict=True)
        cells = ((at, tag, texts[int(value)] if is_text else _number(value)) for at, tag, value, is_text in rows)
        self._text.writelines(f"{at}Z,{self._names[tag]},{cell}\n" for at, tag, cell in cells)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._text.close()
        self._raw.close()
        self._draft.end(well=kind is None)


class _Parquet:
    def __init__(self, file: Path, tags: Sequence[RecordedTag]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as exc:
            raise ImportError("Parquet needs pyarrow: pip install 'lineside[parquet]'") from exc
        self._pa, self._draft = pa, _Draft(file)
        self._names = pa.array([tag.name for tag in tags], pa.string())
        self._is_text = np.array([tag.type == "text" for tag in tags])
        columns = [
            ("time", pa.timestamp("ms", "UTC")),
            ("tag", pa.dictionary(pa.int32(), pa.string())),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("quality", pa.uint8()),
        ]
        dictionary = "\n".join([_HEAD, *(tag.line() for tag in tags)]).encode()
        self._schema = pa.schema(columns, metadata={b"lineside": dictionary})
        self._file = pq.ParquetWriter(self._draft.draft, self._schema, compression="zstd")

    def write(self, page: Page, texts: Sequence[str]) -> None:
        pa, is_text = self._pa, self._is_text[page.tag]
        number = pa.array(np.where(is_text, page.value, 0).astype(np.int32), mask=~is_text)
        words = pa.DictionaryArray.from_arrays(number, pa.array(list(texts) or [""], pa.string())).cast(pa.string())
        columns = [
            pa.array(page.at_ms.astype("datetime64[ms]")).cast(pa.timestamp("ms", "UTC")),
            pa.DictionaryArray.from_arrays(pa.array(page.tag), self._names),
            pa.array(page.value, mask=is_text),
            words,
            pa.array(np.full(len(page.tag), _GOOD, np.uint8)),
        ]
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._file.close()
        self._draft.end(well=kind is None)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
