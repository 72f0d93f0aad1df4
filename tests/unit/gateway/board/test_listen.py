"""The board's address."""

import socket

import pytest
from pydantic import ValidationError

from gateway.board.config import BoardConfig
from gateway.board.listen import CannotListen, Listen


@pytest.mark.parametrize("text", ["8080", "127.0.0.1", "127.0.0.1:", ":8080", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CannotListen, match=r"write HOST:PORT, like 127\.0\.0\.1:8080"):
        Listen.parse(text)


def test_ipv6_addresses_are_written_in_brackets() -> None:
    listen = Listen.parse("[::1]:8080")
    assert listen == Listen("::1", 8080)
    assert listen.loopback
    assert listen.url(8080) == "http://[::1]:8080/"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "plant.example"])
def test_an_address_for_other_machines_is_refused_unless_asked_for(host: str) -> None:
    with pytest.raises(CannotListen, match=r"board\.insecure: true"):
        Listen(host, 0).bind()


def test_a_port_in_use_names_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port} is in use: .*set board\.listen"):
            Listen("127.0.0.1", port).bind()


def test_another_machines_address_is_refused_in_words() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:0: .*set board\.listen"):
        Listen("192.0.2.1", 0).bind(beyond_this_machine=True)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"listen": "28080"}, "'28080' is not an address: write HOST:PORT, like 127.0.0.1:8080"),
        ({"listen": "0.0.0.0:8080"}, "listen at 127.0.0.1:8080, or set board.insecure: true"),
        ({"listen": "0.0.0.0:8080", "insecure": "maybe"}, "should be a valid boolean"),
    ],
)
def test_a_section_that_cannot_work_says_what_to_write(section: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BoardConfig.model_validate(section)
    assert says in caught.value.errors()[0]["msg"]


def test_the_section_reaches_the_boards_process() -> None:
    assert BoardConfig().arguments() == ["--listen", "127.0.0.1:8080"]
    shared = BoardConfig(listen="0.0.0.0:80", insecure=True)
    assert shared.arguments() == ["--listen", "0.0.0.0:80", "--insecure"]
    assert shared.url == "http://0.0.0.0:80/"
