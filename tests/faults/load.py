"""The producer, as a process of its own: `python -m tests.faults.load <bootstrap> <prefix> <plan>`.

On standard input it is told the wall-clock second to begin at; SIGTERM ends it.
"""

import signal
import sys
import time
from threading import Event

import msgspec

from streams.kafka.publisher import Publisher
from tests.faults.plan import Plan, messages

_TICK = 0.005
"""Seconds that it may be ahead of its pace: a wait costs more than sending some messages at once."""
_QUIET = {"log_level": 0, "socket.timeout.ms": 10_000, "retry.backoff.ms": 50, "reconnect.backoff.max.ms": 500}


def send(bootstrap: str, prefix: str, plan: Plan, begin: float, stop: Event) -> tuple[int, list[str]]:
    """Send a plan at its pace until told to stop, whatever happens to Kafka: how many messages, and what failed."""
    publisher, sent = Publisher(bootstrap, prefix, **_QUIET), 0
    for message in messages(plan):
        ahead = begin + sent / plan.rate - time.time()
        if stop.wait(max(0.0, ahead)) if ahead > _TICK else stop.is_set():
            break
        publisher.send(message.topic, message.key, message.value)
        sent += 1
    return sent, publisher.finish()


def main() -> None:
    """Print how many messages were sent; exit 1 if not all of them arrived."""
    _, servers, prefix, encoded = sys.argv
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    plan, begin = msgspec.json.decode(encoded, type=Plan), sys.stdin.readline()
    sent, failures = send(servers, prefix, plan, float(begin), stop) if begin else (0, [])
    print(sent)
    sys.exit("\n".join(failures[:3]) if failures else 0)


if __name__ == "__main__":
    main()
