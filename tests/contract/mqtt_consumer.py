"""A consumer that is killed: appends what an MqttSource delivers to a file, synced, and acknowledges after that.

python -m tests.contract.mqtt_consumer BROKER FILE [before-commit|before-ack COUNT]
"""

import asyncio
import os
import signal
import sys

from tests.integration.mqtt_world import make_source


async def consume(broker: str, path: str, moment: str = "", count: str = "0") -> None:
    """Runs until it is killed, or kills itself at a moment of its delivery number `count`.

    The small window makes for many deliveries, and so for many moments to be killed at.
    """
    source = make_source(broker, "consumer", receive_maximum=40)
    await source.connect()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    seen = 0
    async for delivery in source.deliveries():
        seen += 1
        if (moment, count) == ("before-commit", str(seen)):
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(file, b"".join(b"%d\n" % value for value in delivery.batch.value.tolist()))
        os.fsync(file)
        if (moment, count) == ("before-ack", str(seen)):
            os.kill(os.getpid(), signal.SIGKILL)
        if delivery.ack is not None:
            delivery.ack()


if __name__ == "__main__":
    asyncio.run(consume(*sys.argv[1:]))
