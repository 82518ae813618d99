"""The job as a Bytewax program: one worker, a snapshot of the state into SQLite each 10 s."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.peers.customer import Customer, apply, newcomer
from bench.peers.task import Marks, Task, given

_SNAPSHOTS = timedelta(seconds=10)
_BATCH = 1_000


def dataflow(task: Task) -> Dataflow:
    """From the events to the changes."""
    marks = Marks(task.events)

    def parse(message: KafkaSourceMessage[Any, Any]) -> tuple[str, dict[str, Any]]:
        event = orjson.loads(message.value)
        return event["customer_id"], event

    def classify(customer: Customer | None, event: dict[str, Any]) -> tuple[Customer, list[dict[str, Any]]]:
        marks.begin()
        known = newcomer() if customer is None else customer
        changes = apply(known, event)
        marks.handled()
        return known, changes

    def message_of(row: tuple[str, dict[str, Any]]) -> KafkaSinkMessage[bytes, bytes]:
        customer_id, change = row
        return KafkaSinkMessage(customer_id.encode(), orjson.dumps(change))

    flow = Dataflow("mini")
    source = KafkaSource([task.kafka], [task.source], batch_size=_BATCH)
    events = op.map("parse", op.input("events", flow, source), parse)
    changes = op.map("message", op.stateful_flat_map("classify", events, classify), message_of)
    kop.output("changes", changes, brokers=[task.kafka], topic=task.target)
    return flow


def main() -> None:
    """Run it until it is ended."""
    task = given()
    snapshots = Path(task.directory)
    snapshots.mkdir()
    init_db_dir(snapshots, 1)
    cli_main(dataflow(task), epoch_interval=_SNAPSHOTS, recovery_config=RecoveryConfig(snapshots))


if __name__ == "__main__":
    main()
