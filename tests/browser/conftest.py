"""A real board in a thread of its own, and Debian's Chromium to look at it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.board.application import create_app
from gateway.board.listen import Listen
from gateway.board.readers import Board
from tests.browser.demo_data import board

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class BoardThread:
    """A board that a test feeds; it can be taken away and come back at the same port."""

    def __init__(self, shown: Board) -> None:
        self.board = shown
        self.port = 0
        self.url = ""
        self._last = b""
        self._stop = threading.Event()

    def start(self) -> None:
        """Listens, at the port that it had before."""
        sock = Listen("127.0.0.1", self.port).bind()
        self.port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._stop.clear()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(sock),), name="board")
        self._thread.start()

    def stop(self) -> None:
        """Closes every connection and the port."""
        self._stop.set()
        self._thread.join(10)

    def publish(self, snapshot: dict[str, Any]) -> None:
        """Repeats this snapshot twice a second from now on, as a gateway does."""
        self._last = orjson.dumps(snapshot)

    def fall_silent(self) -> None:
        """No more snapshots; connections stay."""
        self._last = b""

    async def _serve(self, sock: socket.socket) -> None:
        hub = type(self.board.hub)()
        object.__setattr__(self.board, "hub", hub)
        config = uvicorn.Config(
            create_app(self.board, ["127.0.0.1"]), log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([sock]))
        while not self._stop.is_set():
            if self._last:
                hub.publish(self._last)
            await asyncio.sleep(0.1)
        hub.close()
        server.should_exit = True
        await serving
        sock.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, shared by all tests of a process."""
    if not CHROMIUM.exists():
        pytest.skip("needs the package chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def running() -> Iterator[BoardThread]:
    """A board over the believable plant."""
    thread = BoardThread(board(8))
    thread.start()
    yield thread
    thread.stop()


class Viewer:
    """A page, and everything that went wrong in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda problem: self.errors.append(str(problem)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))

    def open(self, url: str) -> Page:
        """Opens the board and waits until everything is drawn."""
        self.page.goto(url)
        self.page.wait_for_selector("#energy[data-ready]")
        self.page.wait_for_selector(".span")
        return self.page


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[list[BrowserContext]]:
    """Contexts that are closed after the test."""
    opened: list[BrowserContext] = []
    yield opened
    for context in opened:
        context.close()


@pytest.fixture
def wall(chromium: Browser, contexts: list[BrowserContext]) -> Viewer:
    """A screen on the wall, 1920×1080."""
    contexts.append(chromium.new_context(viewport={"width": 1920, "height": 1080}))
    return Viewer(contexts[-1])


@pytest.fixture
def phone(chromium: Browser, contexts: list[BrowserContext]) -> Viewer:
    """A phone, 390×844, dark."""
    contexts.append(
        chromium.new_context(
            viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True, is_mobile=True
        )
    )
    return Viewer(contexts[-1])
