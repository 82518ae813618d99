"""The schedules: what happens, to whom, when. Seconds count from the beginning of the load."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from tests.faults.checks import SEGMENTS
from tests.faults.launcher import STEPS
from tests.faults.play import Schedule
from tests.faults.proxy import Proxy, Way
from tests.faults.servers import Refusal, Servers
from tests.faults.stage import SESSION, FaultsError, Setting, Stage

A, B = "worker-a", "worker-b"
HOUR = 3_600
_LOST = 0.3
"""Share of the commits whose reply is lost."""
_START = 1.0
"""When faults begin."""
AT_START = ("after-claim", "after-tail")
"""Steps that a worker passes when it takes shards."""
_RARE = {"after-letters": 3}
"""Steps that a worker passes only a few times a second."""
_FATAL = 60.0
"""Seconds within which a worker must have passed its step."""


def calm(on: Stage) -> None:
    """Nothing happens but the load: its duplicates, late and misplaced events, its hot key, its poison."""
    on.play(_START)
    with on.fault("none"):
        on.play(_START + 1)


def die_at(step: str, on: Stage) -> None:
    """A worker dies at a step, comes back, and dies there again."""
    on.play(_START)
    with on.fault(f"kill {step}"):
        on.crew.arm(A, on.random.randint(1, _RARE.get(step, 20)))
        _await_death(step, on)
        on.crew.start(A, step, on.random.randint(1, 2), static=True)
        _await_death(step, on)
        on.crew.start(A, static=True)


def die_taking(step: str, on: Stage) -> None:
    """A worker is killed, and dies again while it takes its shards back."""
    on.play(_START)
    with on.fault(f"kill {step}"):
        on.crew.kill(A)
        on.crew.start(A, step, on.random.randint(1, 3), static=True)
        _await_death(step, on)
        on.crew.start(A, static=True)


def die_everywhere(on: Stage) -> None:
    """A worker dies at one step after the other, and comes back each time."""
    on.play(_START)
    on.crew.kill(A)
    for step, following in pairwise((*STEPS, "")):
        if on.ended:  # the machine was too slow for the load; without one, steps are not passed any more
            return
        with on.fault(f"kill {step}"):
            if step in AT_START:
                on.crew.start(A, step, on.random.randint(1, 3), static=True)
            else:
                on.crew.arm(A, on.random.randint(1, _RARE.get(step, 20)))
            _await_death(step, on)
            if following not in AT_START:
                on.crew.start(A, following, static=True)


def _await_death(step: str, on: Stage) -> None:
    if not on.crew.wait_for_death(A, _FATAL):
        raise FaultsError(f"the worker did not pass the step {step}")


def kill(on: Stage) -> None:
    """A worker is killed and comes back under another name: its shards move when its session runs out."""
    for worker in (A, B):
        on.play(_START)
        with on.fault("kill"):
            on.crew.kill(worker)
            on.rest(on.random.uniform(0, SESSION))
            on.crew.start(f"{worker}2")


def stop(on: Stage) -> None:
    """Each worker in turn is told to stop, and starts again."""
    on.play(_START)
    for worker in (A, B):
        with on.fault("SIGTERM"):
            on.crew.stop(worker)
            on.crew.start(worker)


def zombie(on: Stage) -> None:
    """A worker stands still for twice its session, and goes on as if nothing had been."""
    on.play(_START)
    with on.fault("zombie"):
        on.crew.send(A, signal.SIGSTOP)
        on.rest(2 * SESSION)
        on.crew.send(A, signal.SIGCONT)


def storm(on: Stage) -> None:
    """Workers join and leave, every few seconds: in good order and otherwise."""
    on.play(_START)
    with on.fault("rebalance storm"):
        for number in range(4):
            guest = f"guest-{number}"
            on.crew.start(guest)
            on.await_up()
            on.rest(on.random.uniform(0.1, 1))
            if number % 2:
                on.crew.stop(guest)
            else:
                on.crew.kill(guest)


def redis_restart(on: Stage) -> None:
    """Redis is stopped and started."""
    on.play(_START)
    with on.fault("Redis restart"):
        on.servers.redis.stop()
        on.rest(on.random.uniform(0.2, 2))
        on.servers.redis.start()


def redis_kill(on: Stage) -> None:
    """Redis is killed and started, twice."""
    on.play(_START)
    for _turn in range(2):
        with on.fault("Redis kill"):
            on.servers.redis.kill()
            on.servers.redis.start()


def redis_older(on: Stage) -> None:
    """Redis comes back as it was a second ago."""
    on.play(_START)
    with on.fault("Redis a second older"):
        size = on.servers.log_size()
        on.rest(1)
        on.servers.crash_redis(size)


def redis_torn(on: Stage) -> None:
    """Redis comes back with the last record of its log torn."""
    on.play(_START)
    for _turn in range(2):
        with on.fault("Redis with a torn record"):
            on.servers.crash_redis(on.servers.log_size() - on.random.randint(1, 400))


def claim_lost(on: Stage) -> None:
    """Redis comes back as it was before a worker took its shards: with an epoch of the past."""
    on.play(_START)
    with on.fault("Redis without the last claim"):
        size = on.servers.log_size()
        on.crew.stop(A)
        on.crew.start(A)
        on.rest(3)
        on.servers.crash_redis(size)


def claim_lost_meanwhile(on: Stage) -> None:
    """A worker stands still until another has its shards, Redis forgets that, and the first one goes on."""
    on.play(_START)
    with on.fault("zombie, and Redis without the claim that followed"):
        size = on.servers.log_size()
        on.crew.send(A, signal.SIGSTOP)
        on.rest(2 * SESSION)
        on.servers.crash_redis(size)
        on.crew.send(A, signal.SIGCONT)


def flush_all(on: Stage) -> None:
    """Redis loses everything, while the workers run: the state is made anew from Kafka."""
    on.play(_START)
    with on.fault("FLUSHALL"):
        on.servers.client.flushall()


def rebuild(on: Stage) -> None:
    """The state is made anew beside the live one, and put in its place under load."""
    on.play(_START)
    with on.fault("rebuild"):
        command = [*SEGMENTS, "rebuild"]
        rebuilding = subprocess.Popen(command, env=os.environ | on.environment, stdout=subprocess.DEVNULL)
        while rebuilding.poll() is None:
            on.rest(0.1)
        if rebuilding.returncode:
            raise FaultsError(f"segments rebuild ended with {rebuilding.returncode}")


def script_flush(on: Stage) -> None:
    """Redis forgets its scripts, again and again."""
    on.play(_START)
    with on.fault("SCRIPT FLUSH"):
        for _turn in range(20):
            on.servers.client.script_flush("SYNC")
            on.rest(0.1)


def refusal(ways: tuple[Refusal, ...], on: Stage) -> None:
    """Redis answers, but takes no writes for some seconds: for one reason after the other."""
    on.play(_START)
    for how in ways:
        with on.fault(f"Redis refuses: {how.value}"):
            on.servers.refuse(how)
            on.rest(3)
            on.servers.relent(how)


def reply_lost(on: Stage) -> None:
    """Redis carries out a commit, and the worker never hears of it."""
    on.play(_START)
    with on.fault("reply lost"):
        before = on.servers.redis_proxy.lost
        on.servers.redis_proxy.lose_replies(b"EVALSHA", lambda: on.random.random() < _LOST)
        on.rest(3)
        on.servers.redis_proxy.lose_replies(b"", None)
        if on.servers.redis_proxy.lost == before:
            raise FaultsError("no reply was lost")


def link(proxy: Callable[[Servers], Proxy], kind: str, ways: tuple[Way, ...], seconds: float, on: Stage) -> None:
    """Nothing comes through in some directions; neither side is told."""
    on.play(_START)
    with on.fault(kind):
        proxy(on.servers).hold(*ways)
        on.rest(seconds)
        proxy(on.servers).release()


def kafka_restart(on: Stage) -> None:
    """Kafka is stopped and started."""
    on.play(_START)
    with on.fault("Kafka restart"):
        on.servers.kafka.restart()


def kafka_kill(on: Stage) -> None:
    """Kafka is killed and started."""
    on.play(_START)
    with on.fault("Kafka kill"):
        on.servers.kafka.kill()
        on.servers.kafka.start()


def clock_jump(hours: tuple[int, ...], on: Stage) -> None:
    """The wall clock of one worker is off for some seconds, and right again; once for each of these."""
    on.play(_START)
    for off in hours:
        with on.fault(f"wall clock {off:+d} h"):
            on.crew.shift(A, off * HOUR)
            on.rest(3)
            on.crew.shift(A, 0)


def _redis(servers: Servers) -> Proxy:
    return servers.redis_proxy


def _kafka(servers: Servers) -> Proxy:
    return servers.kafka_proxy


_WAYS = {"up": (Way.UP,), "down": (Way.DOWN,), "both": (Way.UP, Way.DOWN)}
_HOT = {"hot": 0.5}
_POISON = {"poison": 0.05}
_BY_REDIS = Setting(redis_proxied=True)
_BY_KAFKA = Setting(kafka_proxied=True)

SCHEDULES = (
    Schedule(name="calm", script=calm, seconds=5, short=False),
    Schedule(name="hot-key", script=calm, seconds=5, load=_HOT, short=False),
    Schedule(name="poison", script=calm, seconds=5, load=_POISON, short=False),
    *(
        Schedule(
            name=f"kill-{step}",
            script=partial(die_taking if step in AT_START else die_at, step),
            setting=Setting(static=True, step=step),
            seconds=6,
            short=False,
        )
        for step in STEPS
    ),
    Schedule(name="kill-sweep", script=die_everywhere, setting=Setting(static=True), load={"seconds": 200.0}),
    Schedule(name="kill", script=kill, seconds=10, short=False),
    Schedule(name="sigterm", script=stop, load=_HOT),
    Schedule(name="zombie", script=zombie, seconds=10),
    Schedule(name="rebalance-storm", script=storm, seconds=10),
    Schedule(name="redis-restart", script=redis_restart, seconds=6, load=_POISON),
    Schedule(name="redis-kill", script=redis_kill, seconds=6, short=False),
    Schedule(name="redis-older", script=redis_older, seconds=6),
    Schedule(name="redis-torn", script=redis_torn, seconds=6),
    Schedule(name="redis-claim-lost", script=claim_lost, seconds=8, short=False),
    Schedule(name="zombie-claim-lost", script=claim_lost_meanwhile, seconds=10, short=False),
    Schedule(name="flushall", script=flush_all, seconds=6),
    Schedule(name="rebuild", script=rebuild, seconds=6, short=False),
    Schedule(name="script-flush", script=script_flush, seconds=6),
    Schedule(name="redis-refuses", script=partial(refusal, (Refusal.MEMORY, Refusal.READ_ONLY))),
    Schedule(name="redis-lone", script=partial(refusal, (Refusal.LONE,)), mortal=True, short=False),
    Schedule(name="reply-lost", script=reply_lost, seconds=7, setting=_BY_REDIS),
    *(
        Schedule(
            name=f"redis-link-{name}",
            script=partial(link, _redis, f"link to Redis held {name}", ways, 6.0),
            seconds=9,
            setting=_BY_REDIS,
            short=name == "down",
        )
        for name, ways in _WAYS.items()
    ),
    *(
        Schedule(
            name=f"kafka-link-{name}",
            script=partial(link, _kafka, f"link to Kafka held {name}", ways, 2.0 * SESSION),
            seconds=9,
            setting=_BY_KAFKA,
            short=name == "both",
        )
        for name, ways in _WAYS.items()
    ),
    Schedule(
        name="produce-timeout",
        script=partial(link, _kafka, "produce time-out", (Way.DOWN,), 5.0),
        seconds=9,
        setting=Setting(kafka_proxied=True, produce_timeout=2_000),
        mortal=True,
    ),
    Schedule(name="kafka-restart", script=kafka_restart),
    # Not in the short part: a worker that saw its broker killed may not end when it is told to; that is not mended yet.
    Schedule(name="kafka-kill", script=kafka_kill, short=False),
    Schedule(name="clock", script=partial(clock_jump, (1, -1)), seconds=12, exact=True),
)
"""All of them, in the order of playing. The short part has each kind of fault: hot key and poison go with others."""
