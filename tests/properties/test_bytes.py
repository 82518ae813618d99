"""Bytes in, bytes out: profiles survive being stored, and no message makes the decoder fail in its own way."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel

from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.instants import DAY, NEVER, rfc3339
from schemas.names import ANONYMOUS, INPUTS
from schemas.transitions import SegmentChange
from schemas.wire import decode, decode_run, fast, route, validate
from streams.core.admission import admit
from streams.core.changes import change_json
from streams.core.codec import pack, unpack
from streams.core.errors import LayoutError
from streams.core.profile import LONG_AGO, Profile
from streams.core.step import apply, newcomer
from tests.oracle import Event
from tests.properties.logs import LAST, SETTINGS, fed, in_time, logs
from tests.scenarios.events import START, event
from tests.scenarios.story import shipped

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_json: SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([NEVER, 2**63, -(2**63), 10**13, 10**13 + 1, 0, -1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.sampled_from(["order.placed", "GBP", "59.90", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=5,
)


def admitted(message: bytes, topic: str | None) -> AnyEvent | UndecodableError:
    """The event in a message, or why it is refused; anything else is raised."""
    try:
        given = decode(message, topic)
        admit(given, START, shipped().rates)
    except UndecodableError as refused:
        return refused
    return given


def check_twin(message: bytes, topic: str | None) -> None:
    """What a twin accepts, its model accepts, with the same values."""
    quicks = fast([message], topic)
    if quicks is None:
        return
    (quick,) = quicks
    slow = validate(message, topic)
    assert {name: plain(getattr(quick, name)) for name in type(slow).model_fields} == slow.model_dump()


def plain(value: Any) -> Any:
    """Items as dictionaries."""
    if isinstance(value, list):
        return [msgspec.structs.asdict(item) if isinstance(item, msgspec.Struct) else item for item in value]
    return value


def check_decoded(message: bytes) -> None:
    """The message is refused with a reason, or it is an event that goes all the way."""
    for topic in (None, *INPUTS):
        check_twin(message, topic)
        given = admitted(message, topic)
        if isinstance(given, UndecodableError):
            assert given.detail.isprintable()
            continue
        assert rfc3339(given.occurred_at)
        customer = newcomer("ann", shipped())
        apply(customer, given, shipped())
        assert unpack("ann", pack(customer.profile)) == customer.profile


@SETTINGS
@given(logs(20))
def test_a_profile_survives_being_stored(log: list[Event]) -> None:
    profile = fed(log, shipped())[0].profile
    assert unpack("ann", pack(profile)) == profile
    assert pack(unpack("ann", pack(profile))) == pack(profile)


@SETTINGS
@given(st.lists(st.tuples(st.integers(-5 * DAY, 40 * DAY), st.booleans()), max_size=60))
@example([(3 * DAY, True)] * 60)
def test_visits_that_are_stored_on_the_way_are_stored_alike(steps: list[tuple[int, bool]]) -> None:
    """What is packed already is kept, also when the first visits are forgotten or one comes late."""
    profile, at = Profile("ann"), START
    for step, is_stored in steps:
        at += step
        profile.visits.add(at)
        profile.seen_at = max(profile.seen_at, at)
        if is_stored:
            stored = pack(profile)
            assert unpack("ann", stored).visits.runs == profile.visits.runs
            assert pack(unpack("ann", stored)) == stored


@SETTINGS
@given(st.integers(LONG_AGO, NEVER), st.none() | st.integers(-5, 5), st.none() | st.integers(-5, 5))
def test_a_profile_of_any_instant_survives_being_stored(seen: int, one: int | None, other: int | None) -> None:
    profile = Profile("ann", seen)
    profile.email.subscribed_at, profile.email.engaged_at = one, other
    profile.support.csat_at = other
    profile.derive()
    assert unpack("ann", pack(profile)) == profile


@SETTINGS
@given(logs(12), st.text(min_size=1, max_size=8).filter(str.isprintable), st.sampled_from(["", ANONYMOUS]))
def test_the_message_of_a_transition_is_of_its_model(log: list[Event], someone: str, prefix: str) -> None:
    customer, transitions = fed(in_time(log), shipped(), LAST)
    profile_id = prefix + someone
    for sequence, given_ in enumerate(transitions, start=1):
        text = change_json(given_, profile_id, shipped(), 3, sequence, LAST)
        change = SegmentChange.model_validate_json(text)
        assert orjson.loads(text) == change.model_dump(mode="json")
        assert (change.id, change.shard, change.sequence) == (f"3-{sequence}", 3, sequence)
        assert (change.anonymous_id if prefix else change.customer_id) == someone
        assert (change.segment, change.effective_at) == (given_.segment.key, given_.effective_at)
        assert (change.type == "segment.entered") is given_.entered
        assert change.cause.event_id == (given_.event.id if given_.event else None)
        assert change.memberships == sorted(given_.memberships)
        assert [row.clause for row in change.evidence] == [clause.text for clause in given_.segment.rule.clauses]
    assert not transitions or set(change.memberships) == set(customer.since)


@pytest.mark.parametrize("stored", [b"\x91\x63", b"\x90", b"\x01", b"\x80"])
def test_a_profile_of_another_layout_is_refused(stored: bytes) -> None:
    with pytest.raises(LayoutError, match="layout"):
        unpack("ann", stored)


@SETTINGS
@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(message: bytes) -> None:
    check_decoded(message)


@SETTINGS
@given(_json)
def test_any_json_is_an_event_or_refused(body: Json) -> None:
    check_decoded(orjson.dumps(body))


@SETTINGS
@given(st.data(), logs(1))
@example(None, [event("customer.updated", attributes={"ann@example.org\n": [1]})])
@example(None, [event("a\nb")])
def test_a_changed_event_is_an_event_or_refused(data: st.DataObject | None, log: list[Event]) -> None:
    body = dict(log[0])
    if data is not None:
        for field in data.draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
            body[field] = data.draw(_json)
    check_decoded(orjson.dumps(body))


@SETTINGS
@given(st.data(), logs(1))
def test_an_event_with_changed_bytes_is_an_event_or_refused(data: st.DataObject, log: list[Event]) -> None:
    message = bytearray(orjson.dumps(log[0]))
    for place in data.draw(st.lists(st.integers(0, len(message) - 1), max_size=4)):
        message[place] = data.draw(st.integers(0, 255))
    check_decoded(
        bytes(message[: data.draw(st.integers(0, len(message)))]) if data.draw(st.booleans()) else bytes(message)
    )


_PIECES = st.sampled_from([b"{", b"}", b"[", b"]", b",", b":", b'"a"', b"0", b"", b"\n", b'{"a":[{}', b"{}]}", b"null"])


def shown(row: Any) -> Any:
    """An event or a refusal in a form that can be compared; twins have no equality."""
    if isinstance(row, UndecodableError):
        return row.reason, row.detail
    if isinstance(row, BaseModel):
        return row.model_dump()
    return {name: plain(getattr(row, name)) for name in ("type", *row.__struct_fields__)}


@SETTINGS
@given(
    st.lists(logs(1).map(lambda log: orjson.dumps(log[0])) | st.lists(_PIECES, max_size=4).map(b"".join), max_size=9)
)
@example([b'{"a":1},{"b":2}', b'{"x":[{}', b"{}]}"])
@example([b"7", b"7"])
@example([b""])
def test_many_messages_at_once_are_read_as_they_are_one_by_one(messages: list[bytes]) -> None:
    def alone(message: bytes) -> AnyEvent | UndecodableError:
        try:
            return decode(message)
        except UndecodableError as refused:
            return refused

    assert [shown(row) for row in decode_run(messages)] == [shown(alone(message)) for message in messages]


@SETTINGS
@given(logs(1))
def test_an_event_is_routed_by_its_customer(log: list[Event]) -> None:
    topic, key = route(orjson.dumps(log[0]))
    assert key == "ann"
    assert decode(orjson.dumps(log[0]), topic).id == log[0]["id"]
