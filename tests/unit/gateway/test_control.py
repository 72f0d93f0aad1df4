"""The control socket: who may talk, what is answered, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.control import Caller, Control, NobodyThere, Refused, Reply
from gateway.model import Batch
from gateway.ports import Delivery, NotConnected, Unusable


async def echo(request: Mapping[str, Any]) -> Reply:
    if request.get("op") == "bug":
        raise ZeroDivisionError("a bug")
    if request.get("op") == "no":
        raise Refused("not today", {3: "wrong"})
    return {"echo": dict(request)}


@asynccontextmanager
async def listening(folder: Path, answer: Any = echo) -> AsyncIterator[Control]:
    control = Control(folder / "control.sock", answer)
    await control.connect()
    try:
        yield control
    finally:
        await control.close()


async def test_requests_are_answered_line_by_line_and_counted(tmp_path: Path) -> None:
    async with listening(tmp_path) as control:
        caller = await Caller.to(tmp_path / "control.sock")
        assert (await caller.ask({"op": "a"}))["echo"] == {"op": "a"}
        with pytest.raises(Refused, match="not today") as caught:
            await caller.ask({"op": "no"})
        assert caught.value.problems == {3: "wrong"}
        assert control.counters() == {"requests": 2, "refused": 1}
        await caller.close()
    with pytest.raises(NobodyThere):
        await Caller.to(tmp_path / "control.sock")


async def test_a_batch_is_delivered_with_an_acknowledgement_that_ends_the_wait(tmp_path: Path) -> None:
    control = Control(None, echo)
    await control.connect()
    waiting = asyncio.create_task(control.submit(Batch.empty()))
    async with aclosing(control.deliveries()) as deliveries:  # type: ignore[type-var]
        delivery = await anext(deliveries)
        assert isinstance(delivery, Delivery)
        assert delivery.ack
        assert not waiting.done()
        delivery.ack()
        await waiting
    await control.close()


async def test_a_bug_in_an_answer_ends_the_source_and_with_it_the_gateway(tmp_path: Path) -> None:
    async with listening(tmp_path) as control, aclosing(control.deliveries()) as deliveries:  # type: ignore[type-var]
        caller = await Caller.to(tmp_path / "control.sock")
        with pytest.raises(Unusable, match="ended before it answered"):
            await caller.ask({"op": "bug"})
        with pytest.raises(ZeroDivisionError):
            await anext(deliveries)
        await caller.close()


async def test_an_end_while_somebody_waits_leaves_nothing_behind(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def forever(_: Mapping[str, Any]) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        return {}

    async with listening(tmp_path, forever):
        caller = await Caller.to(tmp_path / "control.sock")
        asking = asyncio.create_task(caller.ask({"op": "a"}))
        await begun.wait()
    with pytest.raises(Unusable, match="ended before it answered"):
        await asking
    await caller.close()


async def test_a_ninth_talk_is_told_to_come_back(tmp_path: Path) -> None:
    async with listening(tmp_path):
        callers = [await Caller.to(tmp_path / "control.sock") for _ in range(8)]
        for caller in callers:
            await caller.ask({"op": "a"})
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        assert json.loads(await reader.readline()) == {"ok": False, "error": "8 others are talking: try again"}
        writer.close()
        for caller in callers:
            await caller.close()


async def test_a_file_in_the_sockets_place_is_kept_and_said(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("mine")
    control = Control(tmp_path / "control.sock", echo)
    with pytest.raises(NotConnected, match="a file that is no socket lies there: move it away"):
        await control.connect()
    await control.close()
    assert (tmp_path / "control.sock").read_text() == "mine"
