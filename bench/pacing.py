"""A producer that sends at an even pace, as a process of its own: `python -m bench.pacing <Pace as JSON>`.

A share of the events are *probes*: the first order of a customer who was never seen, which must make the customer
enter `first_time_buyer`. A probe's id carries the instant, in nanoseconds, at which it was handed to the Kafka client:
whoever sees the id again knows how long that took.
"""

import sys
import time
from random import Random

import msgspec

from bench.load import MIX, PRODUCTS, Message, customer_id, order
from bench.system import BenchError
from streams.kafka.publisher import Publisher

_PROBE = "probe-"


class Pace(msgspec.Struct):
    """What to send.

    Attributes:
        rate: events a second.
        seconds: for how long.
        probe_every: each so-manieth event is a probe.
        customers: of how many known customers the other events are.
        first_new: number of the first customer that a probe may invent.
        topic: send everything there; empty: each event to its own topic.
    """

    kafka: str
    prefix: str
    rate: int
    seconds: float
    probe_every: int
    customers: int
    first_new: int
    topic: str = ""

    @property
    def events(self) -> int:
        """How many in all."""
        return round(self.rate * self.seconds)

    @property
    def probes(self) -> int:
        """How many of them are probes."""
        return -(-self.events // self.probe_every)


def probe(at: int, customer: str) -> Message:
    """A first order that is sent at an instant in nanoseconds."""
    return order(f"{_PROBE}{at}", at // 1000, customer, 2_500, 1)


def sent_at(event_id: str | None) -> int | None:
    """When a probe was sent, in nanoseconds; None for any other event."""
    return int(event_id.removeprefix(_PROBE)) if event_id and event_id.startswith(_PROBE) else None


def message(pace: Pace, number: int, random: Random) -> Message:
    """The event to be sent now: a probe when it is one's turn, else something of a known customer."""
    if number % pace.probe_every == 0:
        return probe(time.time_ns(), customer_id(pace.first_new + number))
    maker = random.choices([maker for maker, _ in MIX], [share for _, share in MIX])[0]
    customer, product = customer_id(random.randrange(pace.customers)), random.randint(1, PRODUCTS)
    return maker(f"l{pace.first_new + number}", time.time_ns() // 1000, customer, product)


def send(pace: Pace) -> None:
    """Send all of it.

    Raises:
        BenchError: the pace could not be kept, or a message was not delivered.
    """
    publisher, random = Publisher(pace.kafka, pace.prefix, **{"linger.ms": 0, "log_level": 3}), Random(7)
    start = time.perf_counter()
    for number in range(pace.events):
        ahead = start + number / pace.rate - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        topic, key, value = message(pace, number, random)
        publisher.send(pace.topic or topic, key, value)
    took = time.perf_counter() - start
    failures = publisher.finish()
    if failures:
        raise BenchError(f"{len(failures)} messages were not delivered: {failures[0]}")
    if took > 1.05 * pace.seconds:
        raise BenchError(f"{pace.events} events were to be sent in {pace.seconds:g} s, and it took {took:.1f} s")


if __name__ == "__main__":
    send(msgspec.json.decode(sys.argv[1], type=Pace))
