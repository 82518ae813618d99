"""Cut over: from one version of the definitions to the next, customer by customer. Pure.

The version before judges up to an instant, the next one from there on. A customer whose memberships are those of an
earlier version is judged anew as of that instant, or as of when they were last looked at if that is later; what differs
is a transition with cause `definition`; or `model`, where only the parameters of predictions are new and the segment
asks for one. Who is looked at in what order does not matter.
"""

from schemas.instants import Instant
from schemas.transitions import CauseKind
from streams.core.advance import MODELS
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from streams.core.rebuild import difference
from streams.core.step import Customer, Transition, newcomer


def unjudged(
    profile: Profile, since: dict[str, Instant], settled_at: Instant, at: Instant, definitions: Definitions
) -> Customer:
    """A customer as an earlier version left them; `cut_over` comes before anything else.

    Args:
        profile: as stored.
        since: the memberships, as stored.
        settled_at: when time alone moved the customer last.
        at: when the version took over.
        definitions: that version.
    """
    customer = newcomer(profile.id, definitions)
    customer.profile, customer.since = profile, since
    customer.as_of = max(profile.seen_at, settled_at, at)
    return customer


def cut_over(customer: Customer, definitions: Definitions) -> list[Transition]:
    """Judge a customer anew, and say what is otherwise: exits first, then entries.

    A segment that is no longer defined is left. Who stays in a segment has been in it since they entered.
    """
    known, at = customer.since, customer.as_of
    customer.judge_all(definitions, at)
    answers = zip(definitions.segments, customer.holds, strict=True)
    customer.since = {segment.key: known.get(segment.key, at) for segment, holds in answers if holds}
    found = difference(customer, known, at, definitions, CauseKind.DEFINITION)
    if definitions.is_refitted:
        for transition in found:
            if transition.segment.rule.groups & MODELS:
                transition.cause = CauseKind.MODEL
    return found
