"""Asking the gateway from a command: over its control socket, or, where none runs, in this process."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from gateway.config import Config
from gateway.control import Caller, NobodyThere, Reply, judged
from gateway.journal import JournalInUse
from gateway.ports import Unusable

Ask = Callable[[Mapping[str, Any]], Awaitable[Reply]]


@asynccontextmanager
async def asking(config: Config) -> AsyncIterator[Ask]:
    """Gives the function that asks; without a gateway everything is computed and stored when this ends.

    The function raises Refused: says why it is not done. Unusable: nobody can be asked.
    """
    path = config.data_file("control.sock")
    try:
        caller = await Caller.to(path)
    except NobodyThere:
        from gateway.app import headless  # not loaded where a gateway answers

        log = logging.getLogger("lineside")
        log.setLevel(max(log.level, logging.WARNING) if log.level != logging.DEBUG else log.level)
        try:
            async with headless(config) as gateway:

                async def ask(request: Mapping[str, Any]) -> Reply:
                    return judged(await gateway.control.reply(orjson.dumps(request)))

                yield ask
        except JournalInUse as exc:
            raise Unusable(f"a gateway runs on this journal, but nobody answers on {path}: try again soon") from exc
        return
    try:
        yield caller.ask
    finally:
        await caller.close()
