"""The two questions that every rule answers: is it true now, and until when does that answer hold?

A *judge* is a function (profile, now) -> (holds, until). If nothing else happens, the answer is the same at every
instant from `now` up to, and not including, `until`. `until` may be earlier than the real flip, never later, and is
always after `now`. So a worker that looks again at `until` misses nothing, and finds each crossing at its very instant.
"""

from collections.abc import Callable
from functools import reduce

from schemas.instants import NEVER, Instant
from streams.core.profile import Profile

Verdict = tuple[bool, Instant]
Judge = Callable[[Profile, Instant], Verdict]


ALWAYS: Verdict = (True, NEVER)
NEVERMORE: Verdict = (False, NEVER)
"""The two answers that only an event can change; shared, because most answers are one of them."""


def all_of(judges: list[Judge]) -> Judge:
    """`and`. False for as long as any one part is: up to the latest `until` of the parts that are false."""
    return reduce(_both, judges) if judges else lambda _profile, _now: ALWAYS


def any_of(judges: list[Judge]) -> Judge:
    """`or`. True for as long as any one part is: up to the latest `until` of the parts that are true."""
    return not_of(all_of([not_of(judge) for judge in judges]))


def _both(first: Judge, second: Judge) -> Judge:
    """`and` of two."""

    def judge(profile: Profile, now: Instant) -> Verdict:
        answer = first(profile, now)
        if not answer[0]:
            if answer[1] == NEVER:
                return answer
            other = second(profile, now)
            return answer if other[0] or other[1] <= answer[1] else other
        other = second(profile, now)
        return other if not other[0] or other[1] <= answer[1] else answer

    return judge


def not_of(judge: Judge) -> Judge:
    """`not`. The opposite, for as long."""

    def opposite(profile: Profile, now: Instant) -> Verdict:
        holds, until = judge(profile, now)
        return not holds, until

    return opposite
