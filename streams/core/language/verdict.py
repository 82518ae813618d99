"""The two questions that every rule answers: is it true now, and until when does that answer hold?

A *judge* is a function (profile, now) -> (holds, until). If nothing else happens, the answer is the same at every
instant from `now` up to, and not including, `until`. `until` may be earlier than the real flip, never later, and is
always after `now`. So a worker that looks again at `until` misses nothing, and finds each crossing at its very instant.
"""

from collections.abc import Callable

from schemas.instants import Instant
from streams.core.profile import Profile

Verdict = tuple[bool, Instant]
Judge = Callable[[Profile, Instant], Verdict]
