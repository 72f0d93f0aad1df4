"""Files of bookings: every wrong row is said with its line, and equal rows are told apart."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.drafting import Drafter, must_be_none, read_drafts
from gateway.ports import Unusable
from tests.unit.gateway.kpi.kit import START, Kit

HEAD = "kind,asset,at,to,role,value,note\n"


@pytest.fixture
def drafter() -> Drafter:
    return Drafter(Kit().models, ZoneInfo("Asia/Ho_Chi_Minh"), START)


def file(folder: Path, text: str) -> Path:
    path = folder / "night.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_rows_become_entries_with_ids_of_their_own(tmp_path: Path, drafter: Drafter) -> None:
    rows = "scrap,press,2026-05-28T20:00,,,2,\nscrap,press,2026-05-28T20:00,,,2,\n\nreading,weld,20:01,,state,IDLE,x\n"
    (first, second, third), problems = read_drafts(file(tmp_path, HEAD + rows), drafter)
    assert not problems
    assert [line for line, _ in (first, second, third)] == [2, 3, 5]
    assert first[1] | {"id": ""} == second[1] | {"id": ""}
    assert first[1]["id"] != second[1]["id"]
    assert (first[1]["kind"], first[1]["role"], first[1]["value"]) == ("count", "scrap", 2.0)
    assert (third[1]["kind"], third[1]["value"], third[1]["note"]) == ("reading", "IDLE", "x")
    assert "id" not in third[1]
    assert read_drafts(file(tmp_path, HEAD + rows), drafter) == ([first, second, third], [])


def test_columns_may_stand_in_any_order_and_be_separated_as_spreadsheets_do(tmp_path: Path, drafter: Drafter) -> None:
    (found,), _ = read_drafts(file(tmp_path, "value;kind;to;from;asset\nA-1;order;;20:00;press"), drafter)
    assert (found[1]["kind"], found[1]["value"]) == ("order", "A-1")
    assert "to" not in found[1]


def test_everything_that_is_wrong_is_said_with_its_line(tmp_path: Path, drafter: Drafter) -> None:
    rows = [
        "scrap,press,25:00,,,2,",
        "skrap,press,20:00,,,2,",
        "scrap,pres,20:00,,,2,",
        "scrap,press,20:00,,,two,",
        "reading,press,20:00,,state,5,",
        "stop,press,20:00,nine,,jam,",
        "scrap,press,20:00,,,NaN,",
        "scrap,press,20:00,20:05,,3,",
        "scrap,press,20:00,20:00,,3,",
    ]
    path = file(tmp_path, HEAD + "\n".join(rows))
    found, problems = read_drafts(path, drafter)
    assert [line for line, _ in found] == [6, 10]
    with pytest.raises(Unusable) as caught:
        must_be_none(path, [*problems, (1, "said by somebody else")])
    said = str(caught.value).splitlines()
    assert said[0] == "nothing was booked:"
    for line, part in ((2, "from: '25:00' is no time"), (3, "kind: no 'skrap'"), (4, "did you mean 'press'?")):
        assert any(one.startswith(f"{path}:{line}: ") and part in one for one in said), (line, said)
    assert f"{path}:5: value: 'two' is no number" in said
    assert any(one.startswith(f"{path}:7: to: 'nine'") for one in said)
    assert f"{path}:8: value: 'NaN' is no number" in said
    assert f"{path}:9: to: a count has one moment: leave this empty" in said
    assert [int(one.split(":")[1]) for one in said[1:]] == [1, 2, 3, 4, 5, 7, 8, 9]


def test_an_id_stands_in_a_file_once(tmp_path: Path, drafter: Drafter) -> None:
    path = file(tmp_path, "kind,asset,at,value,id\nscrap,press,20:00,1,a\nscrap,press,20:01,1,a\n")
    assert read_drafts(path, drafter)[1] == [(3, "id: 'a' stands in line 2 already")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind,asset,when,value\n", r"1: no column 'when'"),
        ("kind,asset,value\n", "1: needs the column 'from'"),
        ("kind,asset,at,from,value\n", "1: a column stands there twice"),
        ("", "1: needs the column 'kind'"),
    ],
)
def test_a_file_whose_first_line_is_wrong_is_refused(tmp_path: Path, drafter: Drafter, text: str, problem: str) -> None:
    with pytest.raises(Unusable, match=problem):
        read_drafts(file(tmp_path, text), drafter)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, drafter: Drafter) -> None:
    with pytest.raises(Unusable, match="No such file"):
        read_drafts(tmp_path / "none.csv", drafter)
    (tmp_path / "x.csv").write_bytes(b"kind,asset\n\xff\xfe")
    with pytest.raises(Unusable, match="cannot be read"):
        read_drafts(tmp_path / "x.csv", drafter)


def test_a_list_of_problems_ends_somewhere(tmp_path: Path, drafter: Drafter) -> None:
    path = file(tmp_path, HEAD + "scrap,press,25:00,,,2,\n" * 80)
    with pytest.raises(Unusable) as caught:
        must_be_none(path, read_drafts(path, drafter)[1])
    assert str(caught.value).splitlines()[-1] == "… and 30 more"
