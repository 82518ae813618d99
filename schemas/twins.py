"""A fast form of the models: decoders that msgspec runs, generated from pydantic's, for the one place that is hot.

What a twin accepts, its model accepts, with the same values (`tests/properties/test_bytes.py`); what it refuses may
still be right, so the model is asked. Twins are built from the models alone, and an annotation that this module does
not know is an error at import: a model cannot grow a rule that its twin forgets.
"""

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import annotated_types as at
import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.errors import TwinError
from schemas.events import Catalogue
from schemas.fields import InstantOnTheWire, Moment

_BASIC = {str, int, float, bool, NoneType}


def events_decoder(topic: str | None) -> Callable[[bytes], list[Any]]:
    """A decoder of an array of events of a topic (None: of all) and of whole numbers among them.

    Its events are like the models', but no instances of them, and `occurred_at` is still a `datetime`.
    """
    topics = Catalogue.by_topic if topic is None else (topic,)
    models = [model for name in topics for model in Catalogue.by_topic[name]]
    twins: Any = Union[(*(_twin(model) for model in models), int)]
    decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[twins]).decode
    return decode


@cache
def _twin(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The struct of a model."""
    fields: list[tuple[str, Any, Any]] = []
    options: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if get_origin(info.annotation) is Literal:
            (tag,) = get_args(info.annotation)
            options = {"tag_field": name, "tag": tag, "namespace": {name: tag}}
            continue
        kind = _form(info.annotation, info.metadata, f"{model.__name__}.{name}")
        fields.append((name, kind, _default(info)))
    return msgspec.defstruct(model.__name__, fields, kw_only=True, gc=False, **options)


def _default(info: FieldInfo) -> Any:
    if info.is_required():
        return msgspec.NODEFAULT
    if info.default_factory is not None:
        return msgspec.field(default_factory=cast("Callable[[], Any]", info.default_factory))
    return info.default


def _form(annotation: Any, metadata: list[Any], place: str) -> Any:
    """The type that msgspec checks as pydantic checks an annotation."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more]
    limits: dict[str, Any] = {}
    for item in _flat(metadata):
        if item is InstantOnTheWire:
            return Moment
        limits |= _limit(item, place)
    form = _base(annotation, place)
    return Annotated[form, msgspec.Meta(**limits)] if limits else form


def _base(annotation: Any, place: str) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _BASIC:
        return annotation
    if origin in {Union, UnionType}:
        return Union[tuple(_form(part, [], place) for part in arguments)]  # noqa: UP007 # made of a list
    if origin in {list, dict}:
        return origin[tuple(_form(part, [], place) for part in arguments)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _twin(annotation)
    raise TwinError(f"{place}: {annotation!r} has no fast form; teach it to schemas/twins.py")


def _flat(metadata: list[Any]) -> list[Any]:
    """The single rules of what pydantic keeps beside an annotation."""
    rules: list[Any] = []
    for item in metadata:
        rules += item.metadata if isinstance(item, FieldInfo) else [item]
    return rules


def _limit(item: Any, place: str) -> dict[str, Any]:
    """A rule as msgspec says it; nothing for what only documents."""
    match item:
        case at.MinLen(min_length=length):
            return {"min_length": length}
        case at.MaxLen(max_length=length):
            return {"max_length": length}
        case at.Ge(ge=bound):
            return {"ge": bound}
        case at.Le(le=bound):
            return {"le": bound}
    pattern = getattr(item, "pattern", None)
    if isinstance(pattern, str):  # to Python, `$` also matches before a last line feed
        return {"pattern": pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern}
    if type(item).__module__.startswith("pydantic"):
        return {}
    raise TwinError(f"{place}: {item!r} has no fast form; teach it to schemas/twins.py")
