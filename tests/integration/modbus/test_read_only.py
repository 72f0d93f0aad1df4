"""Lineside reads: no function code that writes can be built in adapters/modbus, and none has a name there.

Every fault server and libmodbus PLC of the suite fails its test when it sees one; this is the other half.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters.modbus
from adapters.modbus.frames import Read
from adapters.modbus.point import Table

READ_FUNCTIONS = {1, 2, 3, 4}
FOLDER = Path(adapters.modbus.__file__).parent
SOURCES = sorted(FOLDER.glob("*.py"))
# who may put bytes on a wire; what they send comes from `Read` alone
SENDERS = {"write", "writelines", "sendto", "send", "sendall", "sendmsg"}
CLIENTS = {"pymodbus", "umodbus", "minimalmodbus", "pymodbustcp", "tmodbus"}


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8"), str(path)))


def test_every_table_is_read_by_its_own_reading_function() -> None:
    assert {table.value: table.function for table in Table} == {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


@given(
    st.integers(0, 255), st.sampled_from(Table), st.integers(0, 65_535), st.integers(1, 2000), st.integers(1, 65_535)
)
def test_every_request_that_can_be_built_reads(
    unit: int, table: Table, address: int, count: int, transaction: int
) -> None:
    count = min(count, 125) if not table.is_bits else count
    request = Read(unit, table, address, count).request(transaction)
    assert request[7] in READ_FUNCTIONS
    assert request[6:8] == bytes([unit, table.function])
    assert len(request) == 12


def test_the_one_place_that_knows_function_codes_knows_those_that_read() -> None:
    """A function code is `Table.function`; whoever packs one takes it from there."""
    found = {
        path.name: {key.value for key in ast.walk(node) if isinstance(key, ast.Constant) and type(key.value) is int}
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name == "function"
    }
    assert found == {"point.py": READ_FUNCTIONS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_module_names_a_write_or_a_client_that_could(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not CLIENTS & {name.split(".")[0].lower() for name in names}, f"{path.name}:{node.lineno}"
        if isinstance(node, ast.Attribute | ast.Name | ast.FunctionDef | ast.AsyncFunctionDef):
            name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", "")
            assert not name.startswith(("write_", "preset_", "force_")), f"{path.name}:{node.lineno}: {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_what_goes_on_a_wire_comes_from_a_read(path: Path) -> None:
    """A file that sends also asks a `Read` for its request, and packs no frame of its own."""
    tree = list(nodes(path))
    called = {node.func.attr for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    if not called & SENDERS:
        return
    assert not {"pack", "pack_into"} & called, f"{path.name} sends, and builds bytes by itself"
    literal = [
        node.lineno
        for node in tree
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SENDERS
        and any(isinstance(argument, ast.Constant) for argument in node.args)
    ]
    assert not literal, f"{path.name}:{literal}: sends a constant"
