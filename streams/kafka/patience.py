"""Patience with brokers that do not answer, which aiokafka's client lacks."""

import asyncio
from typing import Any

RETRY_WAIT_S = 0.1
"""Between two questions to brokers of which none answers."""


def make_patient(client: Any) -> None:
    """Have aiokafka's client wait when it could ask nobody where partitions are.

    A consumer whose broker is gone asks again at once: 5,000 times a second, each with two lines in the log, and with a
    whole core, which a broker that is about to come back on the same machine does not have then.
    """
    update = client._metadata_update  # noqa: SLF001

    async def update_or_wait(cluster: Any, topics: Any) -> bool:
        updated: bool = await update(cluster, topics)
        if not updated:
            await asyncio.sleep(RETRY_WAIT_S)
        return updated

    client._metadata_update = update_or_wait  # noqa: SLF001
