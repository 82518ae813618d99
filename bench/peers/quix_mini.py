"""The job as a Quix Streams program: state in RocksDB with a changelog, at least once, all by default."""

from typing import Any

from quixstreams import Application, State

from bench.peers.customer import apply, newcomer
from bench.peers.task import Marks, given


def main() -> None:
    """Run it until it is ended."""
    task = given()
    marks = Marks(task.events)
    app = Application(
        broker_address=task.kafka,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        state_dir=task.directory,
        loglevel="WARNING",
    )
    events = app.topic(task.source, value_deserializer="json", key_deserializer="str")
    changes = app.topic(task.target, value_serializer="json", key_serializer="str")

    def classify(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
        marks.begin()
        customer = state.get("customer") or newcomer()
        made = apply(customer, event)
        state.set("customer", customer)
        marks.handled()
        return made

    app.dataframe(events).apply(classify, stateful=True, expand=True).to_topic(changes)
    app.run()


if __name__ == "__main__":
    main()
