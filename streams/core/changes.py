"""Transitions as the messages that subscribers read: the JSON of `schemas.transitions.SegmentChange`.

Written as text from parts that are ready: one event in five makes a change, and a dictionary of dictionaries would cost
several times as much as the change itself. A test holds the text to the model.
"""

from functools import lru_cache

from schemas.instants import Instant, rfc3339
from schemas.names import ANONYMOUS
from streams.core.definitions import Definitions
from streams.core.language.explain import evidence_json, instant_json, json_text
from streams.core.money import to_text
from streams.core.step import Transition


def change_json(
    transition: Transition, profile_id: str, definitions: Definitions, shard: int, sequence: int, emitted_at: Instant
) -> str:
    """The message of a transition. Its id follows from shard and sequence alone."""
    summary, currency, segment = transition.summary, definitions.currency, transition.segment
    memberships = '"' + '","'.join(transition.memberships) + '"' if transition.memberships else ""
    return (
        f'{{"id":"{shard}-{sequence}","type":"{transition.direction}","version":1,'
        f'"segment":"{segment.key}",{whose(profile_id)},'
        f'"effective_at":"{rfc3339(transition.effective_at)}","judged_at":"{rfc3339(transition.judged_at)}",'
        f'"emitted_at":"{rfc3339(emitted_at)}",'
        f'"cause":{_cause(transition)},"definitions_version":{definitions.version},'
        f'"model_version":{definitions.model_json},"memberships":[{memberships}],'
        f'"profile":{{"orders":{summary.orders},"spend":"{to_text(summary.spend, currency)}",'
        f'"currency":"{currency}","last_order_at":{instant_json(summary.last_order_at)}}},'
        f'"evidence":{evidence_json(segment.rule, transition.findings, currency)},'
        f'"shard":{shard},"sequence":{sequence}}}'
    )


@lru_cache(maxsize=1_024)  # a customer's changes come together
def whose(profile_id: str) -> str:
    """The two fields that say whose change it is."""
    if profile_id.startswith(ANONYMOUS):
        return f'"customer_id":null,"anonymous_id":{json_text(profile_id.removeprefix(ANONYMOUS))}'
    return f'"customer_id":{json_text(profile_id)},"anonymous_id":null'


def _cause(transition: Transition) -> str:
    event = transition.event
    if event is None:
        return f'{{"kind":"{transition.cause}","event_id":null,"event_type":null,"occurred_at":null}}'
    return (
        f'{{"kind":"{transition.cause}","event_id":{json_text(event.id)},"event_type":"{event.type}",'
        f'"occurred_at":"{rfc3339(event.occurred_at)}"}}'
    )
