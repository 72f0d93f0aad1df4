"""The bounded inbox."""

import asyncio

from adapters.mqtt import inbox as module
from adapters.mqtt.inbox import Arrived, Inbox
from tests.clock import settle


def message(number: int, qos: int = 1, size: int = 1) -> Arrived:
    return Arrived("t", b"x" * size, number, qos, number)


def opened() -> Inbox:
    inbox = Inbox()
    inbox.open()
    return inbox


async def test_what_waits_is_taken_in_order_up_to_the_limit() -> None:
    inbox = opened()
    for number in range(5):
        inbox.put(message(number))
    assert [one.mid for one in await inbox.take(3, 60)] == [0, 1, 2]
    assert [one.mid for one in await inbox.take(2, 60)] == [3, 4]


async def test_a_taker_is_woken_by_the_last_message_of_its_limit() -> None:
    inbox = opened()
    taking = asyncio.create_task(inbox.take(3, 60))
    for number in range(3):
        await settle()
        assert not taking.done()
        inbox.put(message(number))
    assert len(await taking) == 3


async def test_a_lonely_message_is_handed_over_after_the_coalescing_time() -> None:
    inbox = opened()
    inbox.put(message(1))
    async with asyncio.timeout(5):
        assert len(await inbox.take(100, 0.01)) == 1


async def test_closing_wakes_the_taker_empty_handed() -> None:
    inbox = opened()
    taking = asyncio.create_task(inbox.take(3, 60))
    await settle()
    inbox.close()
    assert await taking == []


async def test_closing_drops_what_comes_again_and_keeps_what_does_not() -> None:
    inbox = opened()
    inbox.put(message(1, qos=1))
    inbox.put(message(0, qos=0))
    inbox.close()
    assert [one.qos for one in await inbox.take(10, 60)] == [0]
    assert await inbox.take(10, 60) == []


def test_only_unpromised_messages_are_dropped_when_too_many_wait() -> None:
    inbox = opened()
    for number in range(module.UNPROMISED_LIMIT + 5):
        inbox.put(message(number, qos=0))
    assert inbox.dropped == 5
    inbox.put(message(1, qos=1))
    assert inbox.dropped == 5


def test_the_bytes_of_unpromised_messages_are_bounded_too() -> None:
    inbox = opened()
    for number in range(20):
        inbox.put(message(number, qos=0, size=2**20))
    assert inbox.dropped == 4


def stamped(topic: str, time_ms: int) -> Arrived:
    return Arrived(topic, b"x", 1, 1, time_ms * 1_000_000)


async def times_ms(inbox: Inbox) -> list[int]:
    return [one.time_ns // 1_000_000 for one in await inbox.take(10, 0)]


async def test_a_backlog_keeps_its_order_by_a_millisecond_each_and_every_topic_counts_for_itself() -> None:
    inbox = opened()
    for topic, time_ms in (("a", 100), ("a", 100), ("b", 100), ("a", 100), ("a", 101), ("a", 500)):
        inbox.put(stamped(topic, time_ms))
    assert await times_ms(inbox) == [100, 101, 100, 102, 103, 500]


async def test_a_clock_that_was_put_back_and_a_new_connection_begin_with_the_time_that_it_is() -> None:
    inbox = opened()
    for time_ms in (3_600_000, 5_000, 5_000):
        inbox.put(stamped("a", time_ms))
    assert await times_ms(inbox) == [3_600_000, 5_000, 5_001]
    inbox.put(stamped("a", 5_001))
    inbox.open()
    inbox.put(stamped("a", 5_001))
    assert await times_ms(inbox) == [5_001]
