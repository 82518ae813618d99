"""The sweep: after a version of the definitions took over, everybody who is stored is judged by it, page by page.

Whoever is touched meanwhile is judged by it there and then (`bring_over`). The read model names the version that judged
somebody, so a page that is looked at twice, after a crash or by a cursor that came round again, finds nothing to do.
"""

from collections.abc import Iterable

from schemas.instants import NEVER
from streams.core.cutover import cut_over
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from streams.shard.customers import Customers, Entry
from streams.shard.outcome import Outcome


def bring_over(customers: Customers, outcome: Outcome, definitions: Definitions, *, silent: bool = False) -> None:
    """Judge those who were just fetched as an earlier version left them; what that changes is said, unless `silent`.

    All of them, and all who are new, get a read model, so that the sweep can tell that they were judged.
    """
    for profile_id in customers.unmarked:
        outcome.moved.setdefault(profile_id, set())
    for profile_id in customers.unjudged:
        entry = outcome.touched[profile_id] = customers.entries[profile_id]
        transitions = cut_over(entry.customer, definitions)
        if silent:
            outcome.moved.setdefault(profile_id, set()).update(each.segment.key for each in transitions)
        else:
            outcome.add(profile_id, transitions)
    customers.unmarked.clear()
    customers.unjudged.clear()


def judge_in_passing(
    left_behind: Iterable[tuple[str, Entry, bool]], outcome: Outcome, definitions: Definitions
) -> None:
    """Judge those of a page who are as an earlier version left them; see `Customers.left_behind`.

    Who has no read model, and is in no segment and will be in none by time alone, gets none.
    """
    for profile_id, entry, is_shown in left_behind:
        transitions = cut_over(entry.customer, definitions)
        if transitions or is_shown or not _is_quiet(entry.customer.profile, definitions):
            outcome.touched[profile_id] = entry
            outcome.add(profile_id, transitions)


def _is_quiet(profile: Profile, definitions: Definitions) -> bool:
    """Whether nothing has been true of a customer since their last event, nor will be."""
    verdicts = (segment.judge(profile, profile.seen_at) for segment in definitions.segments)
    return all(not holds and until >= NEVER for holds, until in verdicts)
