"""The MQTT source against real brokers."""

import asyncio
import logging
import socket
import ssl

import pytest

from gateway.model import Reason, bad
from gateway.ports import NotConnected
from tests.integration.mqtt_world import make_source, next_delivery, opened, publish, publish_counts, take_values
from tests.servers import Server, certificates, eventually, free_port, mosquitto, nats_server, running

pytestmark = pytest.mark.server


async def test_messages_become_readings_in_order(mosquitto_server: Server) -> None:
    async with opened(make_source(mosquitto_server.url, "in-order")) as deliveries:
        await publish_counts(mosquitto_server, range(300))
        assert await take_values(deliveries, 300) == list(range(300))


async def test_a_burst_is_one_delivery_and_its_share_of_the_window(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "burst", receive_maximum=100)
    async with opened(source) as deliveries:
        await publish_counts(mosquitto_server, range(50))
        first = await next_delivery(deliveries)
        assert 1 < len(first.batch) <= 50
        assert first.window_share == len(first.batch) / 100


async def test_the_iterator_goes_on_while_commits_are_pending(mosquitto_server: Server) -> None:
    async with opened(make_source(mosquitto_server.url, "pending")) as deliveries:
        for number in range(5):
            await publish_counts(mosquitto_server, range(number, number + 1))
            assert await take_values(deliveries, 1, ack=False) == [number]


async def test_bad_payloads_are_rejected_with_a_reason_and_acknowledged(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "garbage", receive_maximum=10, max_payload="1kB")
    payloads = [b"\xff\xfe\x00", b"", b"{", b"[" * 500 + b"]" * 500, b'{"n": 1, "pad": "' + b"x" * 2000 + b'"}']
    async with opened(source) as deliveries:
        await publish(mosquitto_server, [("press/counts", payload) for payload in payloads * 5])
        rejects = []
        while len(rejects) < 25:  # more than the window: it is not used up, so they are acknowledged
            delivery = await next_delivery(deliveries)
            assert len(delivery.batch) == 0
            rejects += delivery.rejects
            assert delivery.ack is not None
            delivery.ack()
        await publish_counts(mosquitto_server, range(7, 8))
        assert await take_values(deliveries, 1) == [7]
    assert [reject.raw for reject in rejects[:5]] == payloads
    assert {reject.origin for reject in rejects} == {"press/counts"}
    words = ["not JSON", "not JSON", "not JSON", "nested deeper than 32", "max_payload"]
    assert all(word in reject.reason for word, reject in zip(words, rejects, strict=False))
    assert source.health.rejected == 25


async def test_an_unfit_value_is_a_bad_reading_beside_good_siblings(mosquitto_server: Server) -> None:
    tags = {
        "cell/power": {"topic": "cell/all", "path": "$.power"},
        "cell/parts": {"topic": "cell/all", "path": "$.parts", "type": "uint16"},
        "cell/state": {"topic": "cell/all", "path": "$.state", "type": "string"},
    }
    async with opened(make_source(mosquitto_server.url, "siblings", tags=tags)) as deliveries:
        await publish(mosquitto_server, [("cell/all", '{"power": NaN, "parts": 70000, "state": "EXECUTE"}')])
        batch = (await next_delivery(deliveries)).batch
    assert batch.quality.tolist() == [bad(Reason.NOT_A_NUMBER), bad(Reason.OUT_OF_RANGE), 0xC0]
    assert batch.text(batch.value[2]) == "EXECUTE"


async def test_what_was_published_while_away_arrives_with_the_session(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "away")
    async with opened(source):
        pass
    await publish_counts(mosquitto_server, range(1000))
    again = make_source(mosquitto_server.url, "away")
    async with opened(again) as deliveries:
        assert again._connection.session_present
        assert await take_values(deliveries, 1000) == list(range(1000))


async def test_the_window_of_mqtt_5_holds_as_many_as_asked_for(mosquitto_server: Server) -> None:
    async with opened(make_source(mosquitto_server.url, "window")) as deliveries:
        await publish_counts(mosquitto_server, range(1000))
        assert await take_values(deliveries, 1000, ack=False) == list(range(1000))


async def test_nats_speaks_3_1_1_and_keeps_the_session_too(nats_mqtt_server: Server) -> None:
    source = make_source(nats_mqtt_server.url, "nats")
    async with opened(source) as deliveries:
        await publish_counts(nats_mqtt_server, range(100), identifier="nats-publisher")
        assert await take_values(deliveries, 100) == list(range(100))
    await publish_counts(nats_mqtt_server, range(100, 300), identifier="nats-publisher")
    async with opened(source) as deliveries:
        assert source._connection.session_present
        assert await take_values(deliveries, 200) == list(range(100, 300))


async def test_protocol_5_alone_says_that_the_broker_does_not_speak_it(nats_mqtt_server: Server) -> None:
    source = make_source(nats_mqtt_server.url, "only-5", protocol=5)
    with pytest.raises(NotConnected, match="does not speak MQTT 5: unsupported protocol version"):
        await source.connect()
    await source.close()


async def test_a_password_is_needed_and_read_from_its_file_at_every_connect(tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with running(mosquitto(tmp_path, login=("gateway", "right"))) as server:
        source = make_source(server.url, username="gateway", password_file=secret)
        with pytest.raises(NotConnected, match="refuses the connection: not authorized"):
            await source.connect()
        secret.write_text("right\n")
        async with opened(source) as deliveries:
            await publish_counts(server, range(1), username="gateway", password="right")
            assert await take_values(deliveries, 1) == [0]


async def test_tls_needs_the_right_authority(tmp_path) -> None:
    made = certificates(tmp_path)
    with running(mosquitto(tmp_path, tls=made)) as server:
        with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
            await make_source(server.url).connect()
        async with opened(make_source(server.url, ca_file=made.ca)) as deliveries:
            publisher = ssl.create_default_context(cafile=made.ca)
            await publish_counts(server, range(1), tls_context=publisher)
            assert await take_values(deliveries, 1) == [0]


async def test_a_silent_server_is_given_up_after_seconds_with_tls_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("mqtt", "mqtts"):
            async with asyncio.timeout(8):
                with pytest.raises(NotConnected, match=r"cannot be reached: .*timed out"):
                    await make_source(f"{scheme}://127.0.0.1:{port}", protocol="5").connect()


async def test_a_missing_certificate_file_is_named(tmp_path) -> None:
    with pytest.raises(NotConnected, match=r"cannot read .*nowhere\.pem: No such file"):
        await make_source("mqtts://127.0.0.1:1", ca_file=tmp_path / "nowhere.pem").connect()


async def test_a_refused_subscription_names_the_topic(tmp_path) -> None:
    rules = 'authorization { users: [{user: u, password: p, permissions: {subscribe: {deny: "secret.>"}}}] }'
    with running(nats_server(tmp_path, rules)) as server:
        tags = {"a/b": {"topic": "open/x"}, "a/c": {"topic": "secret/x"}}
        source = make_source(server.url, username="u", password="p", tags=tags)
        with pytest.raises(NotConnected, match="refuses the subscription to 'secret/x'"):
            await source.connect()
        await source.close()


async def test_nobody_there_is_said_with_the_address() -> None:
    port = free_port()
    with pytest.raises(NotConnected, match=f"mqtt://127.0.0.1:{port} cannot be reached: .*refused"):
        await make_source(f"mqtt://127.0.0.1:{port}").connect()


async def test_a_server_that_hangs_up_at_once_is_not_waited_for() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(2):
        with pytest.raises(NotConnected, match=r"hung up|reset"):
            await make_source(f"mqtt://127.0.0.1:{port}").connect()


async def test_a_connect_that_is_given_up_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        source = make_source(f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await source.connect()
        await source.close()


async def test_a_broker_that_dies_ends_the_deliveries_and_comes_back_with_a_gap(
    tmp_path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(mosquitto(tmp_path)) as server:
        source = make_source(server.url)
        async with opened(source) as deliveries:
            server.kill()
            with pytest.raises(NotConnected, match="connection lost"):
                await next_delivery(deliveries)
            await server.restart()  # mosquitto saves sessions every 30 minutes only: this one is gone
            with caplog.at_level(logging.WARNING):
                await source.connect()
            assert source.health.gaps == 1
            assert "gap: the broker has lost our session" in caplog.text
            fresh = source.deliveries()
            await publish_counts(server, range(1))
            assert await take_values(fresh, 1) == [0]


async def test_two_clients_with_one_id_are_suspected(
    mosquitto_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = (make_source(mosquitto_server.url, "twin", client_id="twin") for _ in range(2))
    for _ in range(3):
        await ours.connect()
        await theirs.connect()
        with pytest.raises(NotConnected, match="connection lost"):
            await anext(ours.deliveries())
    await ours.close()
    await theirs.close()
    assert "another client use the id 'twin'" in caplog.text


async def test_polling_shows_every_tag_and_takes_nothing_from_the_running_session(mosquitto_server: Server) -> None:
    tags = {
        "saw/state": {"topic": "saw/state", "path": "$.state", "type": "string"},
        "saw/power": {"topic": "saw/+/power", "unit": "kW"},
    }
    source = make_source(mosquitto_server.url, "look", tags=tags)
    async with opened(source) as deliveries:
        polling = asyncio.create_task(source.poll())

        async def ask() -> bool:
            await publish(mosquitto_server, [("saw/state", '{"state": "IDLE"}'), ("saw/1/power", "2.5")])
            return polling.done()

        await eventually(ask)
        state, power = polling.result()
        assert len(await take_values(deliveries, 2)) >= 2
    assert (state.value, state.raw, state.address) == ("IDLE", '"IDLE"', "saw/state $.state")
    assert (power.value, power.raw, power.tag.unit) == (2.5, "2.5", "kW")


async def test_a_silent_tag_is_shown_as_missing(mosquitto_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.mqtt.source.LISTEN_S", 0.1)
    source = make_source(mosquitto_server.url, "silent", tags={"a/b": {"topic": "silence"}})
    (shown,) = await source.poll()
    assert (shown.value, shown.quality, shown.time_ns) == (None, bad(Reason.MISSING), 0)


async def test_unwanted_messages_of_an_older_config_do_not_fill_the_window(mosquitto_server: Server) -> None:
    old = {"a/x": {"topic": "old/topic", "type": "uint32"}}
    async with opened(make_source(mosquitto_server.url, "moved", tags=old)):
        pass
    source = make_source(mosquitto_server.url, "moved", receive_maximum=5)
    async with opened(source) as deliveries:
        await publish(mosquitto_server, [("old/topic", "1")] * 20)
        await publish_counts(mosquitto_server, range(1))
        assert await take_values(deliveries, 1) == [0]
        assert source.health.unwanted == 20
