"""Bytes to events: the only decoder. What is not an event of ours raises `UndecodableError`, nothing else."""

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import orjson
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import Reason, UndecodableError
from schemas.events import AnyEvent, Catalogue
from schemas.fields import FIRST, LAST, MAX_MONEY
from schemas.instants import to_instant
from schemas.names import ANONYMOUS, REROUTED
from schemas.twins import events_decoder

MAX_MESSAGE = 1024 * 1024
"""Bytes of one message; a larger one is a dead letter, unparsed."""

_adapter: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])
_validate: Callable[[bytes], AnyEvent] = _adapter.validator.validate_json
_FAST: dict[str | None, Callable[[bytes], list[Any]]] = {name: events_decoder(name) for name in Catalogue.by_topic}
_FAST[None] = _FAST[REROUTED] = events_decoder(None)
_TOGETHER = 128
"""Messages that are read at once."""
_MARK = secrets.randbits(60)
"""A number that no message has, because nobody can know it."""
_SEPARATOR = b",%d," % _MARK
_OURS = b'"' + ANONYMOUS.encode()
_FAULTS_SHOWN = 3
_MONEY_KINDS = {"constrained-int", "constrained-str"}
_MONEY = f"must be minor units as an integer (5990) or major units as text ('59.90'), from 0 to {MAX_MONEY} minor units"
_ATTRIBUTE = "must be text of at most 256 characters, a number, true, false or null"
_TYPE_LIKE = re.compile(r"[a-z_.]{1,64}")


def decode(value: bytes, topic: str | None = None) -> AnyEvent:
    """The event in a message: an instance of its model, or of the model's twin, which has the same fields.

    Args:
        value: the message's bytes.
        topic: where it was read; an event on another topic than its own is refused. None and `rerouted` take any.

    Raises:
        UndecodableError: with the reason and one line for a person. No field values are in it.
    """
    events = fast([value], topic)
    return events[0] if events else validate(value, topic)


def decode_run(values: Sequence[bytes], topic: str | None = None) -> list[AnyEvent | UndecodableError]:
    """The events in many messages, each as `decode` has it; a refusal stands where its event would."""
    found: list[AnyEvent | UndecodableError] = []
    for first in range(0, len(values), _TOGETHER):
        found += _decode_some(values[first : first + _TOGETHER], topic)
    return found


def _decode_some(values: Sequence[bytes], topic: str | None) -> Sequence[AnyEvent | UndecodableError]:
    """As `decode_run`; the one among them that is not as the others is closed in on by halves."""
    events = fast(values, topic)
    if events is not None:
        return events
    if len(values) > 1:
        half = len(values) // 2
        return [*_decode_some(values[:half], topic), *_decode_some(values[half:], topic)]
    try:
        return [validate(values[0], topic)]
    except UndecodableError as refusal:
        return [refusal]


def fast(values: Sequence[bytes], topic: str | None) -> list[AnyEvent] | None:
    """The events as the twins see them, in a quarter of the time; None: of one or another, `validate` must be asked.

    They are read as one array with marks in between, which must be where they were put: so no message can end within
    the next one, or hold two. Left to the models is what the two read differently or do not check alike: text outside
    ASCII, escaped code points, ids that begin as ours do. And every fault: the models say it better.
    """
    text = b"[%b]" % _SEPARATOR.join(values)
    if len(text) > MAX_MESSAGE or not text.isascii() or b"\\u" in text or _OURS in text:
        return None
    try:
        found = _FAST[topic](text)
        events = found[::2]
        instants = [to_instant(event.occurred_at) for event in events]
    except (msgspec.MsgspecError, RecursionError, AttributeError):  # the last: a message that is a number
        return None
    if len(events) != len(values) or found[1::2] != [_MARK] * (len(values) - 1):
        return None
    if min(instants) < FIRST or max(instants) > LAST:
        return None
    for event, instant in zip(events, instants, strict=True):
        if event.customer_id is None and event.anonymous_id is None:
            return None
        event.occurred_at = instant
    return events


def validate(value: bytes, topic: str | None = None) -> AnyEvent:
    """The event in a message, by the models themselves. See `decode`."""
    if len(value) > MAX_MESSAGE:
        raise UndecodableError(Reason.TOO_LARGE, f"{len(value)} bytes; at most {MAX_MESSAGE} are read")
    try:
        event = _validate(value)
    except ValidationError as fault:
        raise _diagnose(value, fault) from None
    if event.customer_id is None:
        if event.anonymous_id is None:
            raise UndecodableError(Reason.NO_CUSTOMER, "neither customer_id nor anonymous_id is given")
    elif event.customer_id.startswith(ANONYMOUS):
        raise UndecodableError(Reason.INVALID, f"customer_id may not begin with '{ANONYMOUS}'")
    if topic is not None and topic != REROUTED and Catalogue.topic_of[event.type] != topic:
        home = Catalogue.topic_of[event.type]
        raise UndecodableError(Reason.WRONG_TOPIC, f"{event.type} belongs on '{home}', not on '{topic}'")
    return event


def _diagnose(value: bytes, fault: ValidationError) -> UndecodableError:
    """The most telling reason why a message failed; slow, and only for those that did."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return UndecodableError(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8")
    try:
        body: Any = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return UndecodableError(Reason.NOT_JSON, f"line {error.lineno} column {error.colno}: {error.msg}")
    if not isinstance(body, dict):
        return UndecodableError(Reason.INVALID, "the message is not a JSON object")
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in Catalogue.topic_of:
        said = f"'{kind}'" if isinstance(kind, str) and _TYPE_LIKE.fullmatch(kind) else "not a type's name"
        return UndecodableError(Reason.UNKNOWN_TYPE, f"type is {said}; known types are in the schemas")
    version = body.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version != 1:
        return UndecodableError(Reason.UNKNOWN_VERSION, f"version {version} of {kind}; known: 1")
    return UndecodableError(Reason.INVALID, _sentence(fault))


def _sentence(fault: ValidationError) -> str:
    errors = fault.errors(include_url=False, include_context=False, include_input=False)
    parts = list(dict.fromkeys(_told(error) for error in errors))
    more = len(parts) - _FAULTS_SHOWN
    return "; ".join(parts[:_FAULTS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _told(error: ErrorDetails) -> str:
    """A fault with its place. Of a value that may be of several kinds, pydantic tells one fault for each: we tell one.

    The names of attributes are the shop's own, and stay out of it.
    """
    steps, message = list(error["loc"][1:]), error["msg"]
    if "attributes" in steps[:-1]:
        message = message if steps[-1] == "[key]" else _ATTRIBUTE
        steps = [*steps[: steps.index("attributes") + 1], "*"]
    elif steps and steps[-1] in _MONEY_KINDS:
        message = _MONEY
        del steps[-1]
    return f"{'.'.join(str(step) for step in steps) or 'message'}: {message}"


def route(value: bytes) -> tuple[str, str]:
    """Topic and key of an encoded event, as a producer needs them.

    Raises:
        UndecodableError: it is not an event.
    """
    event = decode(value)
    return Catalogue.topic_of[event.type], event.customer_id or event.anonymous_id or ""
