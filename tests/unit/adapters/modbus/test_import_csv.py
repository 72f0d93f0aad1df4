"""Register maps as vendors write them, and what is said about those that cannot be read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.csv_words import slug
from adapters.modbus.import_csv import import_csv
from adapters.modbus.point import Point, Table
from adapters.modbus.profile import load_profile
from gateway.library import Library


def points(folder: Path, text: str) -> dict[str, Point]:
    """The points of a map, after its profile was written and read again."""
    path = folder / "profiles/x.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(import_csv(text, "X"))
    return dict(load_profile("x", Library((folder,))).resolved)


def problems(text: str) -> list[str]:
    with pytest.raises(ValueError, match="line") as caught:
        import_csv(text, "X")
    return str(caught.value).splitlines()


def test_a_plain_map_becomes_a_profile(tmp_path: Path) -> None:
    found = points(
        tmp_path,
        "name,table,address,type,scale,unit,bit\n"
        "voltage,input,0x34,float32,,V,\n"
        "running,holding,7,bool,,,3\n"
        "energy,holding,100,uint32,0.01,kWh,\n"
        "door,coil,4,,,,\n",
    )
    assert found["voltage"] == Point("voltage", Table.INPUT, 52, "float32", unit="V")
    assert found["running"] == Point("running", Table.HOLDING, 7, "bool", bit=3)
    assert (found["energy"].scale, found["energy"].unit) == (0.01, "kWh")
    assert (found["door"].table, found["door"].type) == (Table.COIL, "bool")


def test_addresses_that_all_count_like_a_manual_are_references(tmp_path: Path) -> None:
    found = points(tmp_path, "Tag,Register,Format\nA,40001,U16\nB,30053,REAL\nC,400100,S32\n")
    assert [(p.table, p.address) for p in found.values()] == [
        (Table.HOLDING, 0),
        (Table.INPUT, 52),
        (Table.HOLDING, 99),
    ]


def test_one_address_that_is_no_reference_makes_all_of_them_plain(tmp_path: Path) -> None:
    found = points(tmp_path, "Tag,Register,Format\nA,40001,U16\nB,40000,U16\n")
    assert [p.address for p in found.values()] == [40001, 40000]


def test_an_address_may_name_a_range_a_bit_or_the_modicon_way(tmp_path: Path) -> None:
    found = points(tmp_path, "Name;Address;Type\nA;40001-40002;FLOAT\nB;40010.5;bit\nC;4x0020;word\n")
    assert (found["a"].address, found["b"].address, found["b"].bit, found["c"].address) == (0, 9, 5, 19)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["Parameter,Start Address,Data Type", "Signal,Reg.,Format", "Label,ADDR,Datatype"])
def test_headers_and_delimiters_of_many_kinds_are_understood(tmp_path: Path, delimiter: str, header: str) -> None:
    text = f"# a remark\n\n{header}\nActive Power (kW),12,INT32\n".replace(",", delimiter)
    assert points(tmp_path, text)["active_power"] == Point("active_power", Table.HOLDING, 12, "int32")


@pytest.mark.parametrize(
    ("spelling", "value_type", "length"),
    [
        ("U32", "uint32", 0),
        ("unsigned long", "uint32", 0),
        ("DINT", "int32", 0),
        ("Real", "float32", 0),
        ("LREAL", "float64", 0),
        ("ULINT", "uint64", 0),
        ("word", "uint16", 0),
        ("USINT", "uint8", 0),
        ("BCD", "bcd16", 0),
        ("STRING[16]", "string", 16),
        ("ascii (8)", "string", 8),
    ],
)
def test_types_of_many_spellings_are_understood(tmp_path: Path, spelling: str, value_type: str, length: int) -> None:
    found = points(tmp_path, f"name;address;type\na;1;{spelling}\n")["a"]
    assert (found.type, found.length) == (value_type, length)


@pytest.mark.parametrize(
    ("order", "words", "octets"),
    [
        ("ABCD", "big", "big"),
        ("CDAB", "little", "big"),
        ("BADC", "big", "little"),
        ("DCBA", "little", "little"),
        ("Little Endian", "little", "little"),
        ("", "big", "big"),
    ],
)
def test_orders_are_understood_and_hold_for_their_row_only(tmp_path: Path, order: str, words: str, octets: str) -> None:
    found = points(tmp_path, f"name,address,type,order\na,1,u32,{order}\nb,3,u32,CDAB\nc,5,u32,CDAB\nd,7,u32,\n")
    assert (found["a"].word_order, found["a"].byte_order) == (words, octets)
    assert [found[name].word_order for name in "bcd"] == ["little", "little", "big"]


@pytest.mark.parametrize(
    ("column", "cell", "scale"),
    [
        ("scale", "0.1", 0.1),
        ("factor", "0,01", 0.01),
        ("multiplier", "x10", 10),
        ("gain", "1/1000", 0.001),
        ("scale", "/10", 0.1),
        ("resolution", "10^-2", 0.01),
        ("divisor", "10", 0.1),
        ("gain", "100", 0.01),
    ],
)
def test_scales_of_many_spellings_are_understood(tmp_path: Path, column: str, cell: str, scale: float) -> None:
    assert points(tmp_path, f"name;address;type;{column}\na;1;u16;{cell}\n")["a"].scale == scale


def test_enums_limits_counters_and_sentinels_come_along(tmp_path: Path) -> None:
    text = "name;address;type;values;min;max;counter;invalid\na;1;u16;0=Off, 1=On;;;;\nb;2;s16;;-5;50,5;yes;0x8000\n"
    found = points(tmp_path, text)
    assert found["a"].enum == {0: "Off", 1: "On"}
    assert (found["b"].min, found["b"].max, found["b"].counter, found["b"].not_a_value) == (-5, 50.5, True, (-32768,))


def test_energies_are_counters_unless_the_map_says_otherwise(tmp_path: Path) -> None:
    found = points(tmp_path, "name,address,type,unit,counter\na,1,u32,kWh,\nb,3,u32,kWh,no\nc,5,u32,kW,\n")
    assert [point.counter for point in found.values()] == [True, False, False]


def test_a_string_takes_its_length_in_registers_from_the_length_column(tmp_path: Path) -> None:
    found = points(tmp_path, "name,address,type,registers\nserial,1,ascii,8\nx,9,u16,1\n")
    assert (found["serial"].length, found["serial"].size) == (16, 8)


def test_names_are_made_of_letters_that_every_store_takes() -> None:
    assert slug("Điện áp pha A (V)") == "dien_ap_pha_a"
    assert slug("Cos φ [L1] / total") == "cos_total"
    assert slug("3-phase power") == "3_phase_power"


def test_every_mistake_is_told_with_its_line() -> None:
    assert problems("name,address,type\n\nA,abc,uint16\nA,3,foo\nB,,u16\nC,9,\n+,4,u16\nD,1,string\n") == [
        "line 3: address: 'abc' is not an address: write 52, 0x34 or 40053",
        "line 4: type: 'foo' is not a type that is known here: write int16, uint32, float32, bool, string …",
        "line 4: name: 'a' is already the name of line 3",
        "line 5: address: is missing",
        "line 6: type: is missing",
        "line 7: name: '+' has no letters that a name could be made of",
    ]
    assert problems("name,address,type\nD,1,string\nE,70000,u16\nF,5,bool\n") == [
        "line 2: d: a string needs its length in bytes: two per register",
        "line 3: e: ends at address 70000; the last one is 65535",
        "line 4: f: a bool in a register needs its bit: 0 is the least significant, 15 the most",
    ]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("scale\na,1,u16,ten", "scale: 'ten' is not a number"),
        ("scale\na,1,u16,/0", "scale: a divisor of 0 divides nothing"),
        ("scale\na,1,u16,0", "scale: a scale of 0 would make every value 0"),
        ("order\na,1,u16,ACDB", "order: 'ACDB' is not an order: write ABCD, CDAB, BADC or DCBA"),
        ("fc\na,1,u16,5", "table: '5' is not a table"),
        ("values\na,1,u16,on or off", "enum: 'on or off' is not a list"),
        ("bit\na,1,bool,16", "bit: Input should be less than or equal to 15"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_told(cells: str, told: str) -> None:
    (found,) = problems(f"name,address,type,{cells}\n")
    assert found.startswith("line 2: ")
    assert told in found


@pytest.mark.parametrize("text", ["", "\n\n", "foo,bar\n1,2\n", "name,type\na,u16\n", "# only a remark\n"])
def test_a_header_without_an_address_is_told(text: str) -> None:
    assert "the header needs at least name, address and type" in problems(text)[0]


def test_a_map_without_lines_is_told() -> None:
    assert problems("name,address,type\n") == ["line 1: no point stands below the header"]


_CELLS = st.text(st.sampled_from("abz019.,;:/-+x° \"'#{}[]\n\t\x00\x85\u2028đ😀")) | st.sampled_from(
    ["40001", "0x10", "u16", "float", "STRING[4]", "CDAB", "1/10", "yes", "null", "0=a", "inf", "1e400", "9" * 30]
)


@given(st.lists(st.lists(_CELLS, min_size=4, max_size=14), max_size=5))
def test_whatever_stands_in_a_map_it_becomes_a_good_profile_or_is_told(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    header = "name,address,type,scale,unit,order,bit,length,enum,min,not_a_value,group,description,offset"
    text = "\n".join([header, *(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in table)])
    folder = tmp_path_factory.getbasetemp() / "maps"
    folder.mkdir(exist_ok=True)
    try:
        import_csv(text, "X")
    except ValueError as exc:
        told = str(exc).splitlines()
    else:
        told = []
        assert points(folder, text)
    assert all(line.startswith("line ") for line in told)


@pytest.mark.parametrize(("cell", "address"), [("0x0034", 52), ("0x10", 16), ("0x004A", 74), ("34h", 52)])
def test_hexadecimal_addresses_are_never_read_as_decimal(tmp_path: Path, cell: str, address: int) -> None:
    assert points(tmp_path, f"name;address;type\na;{cell};u16\n")["a"].address == address
