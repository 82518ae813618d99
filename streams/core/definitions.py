"""Definitions: the segments in force, compiled. What the file says is data; here it becomes judges."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.definitions import DefinitionsFile, parse_definitions
from schemas.errors import DefinitionsError, ParametersError
from schemas.instants import Instant
from schemas.parameters import ModelParameters
from schemas.places import find, place
from streams.core.advance import ALL, MODELS
from streams.core.errors import Fault, RuleError
from streams.core.language.catalogue import unknown
from streams.core.language.parse import parse_rule
from streams.core.language.rule import Rule
from streams.core.language.source import Source
from streams.core.language.verdict import Judge
from streams.core.money import Rates
from streams.core.predict.predictor import Predictor

MAX_CHAIN = 16
"""How long a chain of segments may be of which each refers to the next."""
MAX_REFERENCES = 256
"""How many rules the judging of one may come to, those that it refers to included, each time that it does."""

EVERYTHING = ALL + 1
"""Asks for all rules, whatever they read."""

_OPENING = re.compile(r"[\w.\"' \t]*?\bwhen[\"']?[ \t]*=[ \t]*(\"\"\"\n?|'''\n?|\"|')")
"""From a rule's key to where its text begins."""
_TOO_LONG = f"more than {MAX_CHAIN} segments in a chain; say it with fewer"


@dataclass(frozen=True)
class Segment:
    """One compiled definition."""

    key: str
    title: str
    when: str
    rule: Rule

    @property
    def judge(self) -> Judge:
        """The verdict of its rule."""
        return self.rule.judge


Rejudge = Callable[[Any, Any, Instant], "list[int] | None"]
"""(customer, profile, now) -> the positions of the segments whose answers changed, None for none. Judges some rules
anew, and keeps their answers and untils in the customer, whose `due` moves no later."""


class Rejudges(dict[int, Rejudge | None]):
    """Touched groups of facts -> what judges the rules that read any of them; None: there are none.

    An event that touches none of a rule's groups cannot change its answer. `EVERYTHING` is all rules, those included
    that read no facts at all.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        """Each is made when it is first asked for."""
        super().__init__()
        self._segments = segments

    def __missing__(self, touched: int) -> Rejudge | None:
        """Make it."""
        positions = [
            i for i, segment in enumerate(self._segments) if touched == EVERYTHING or segment.rule.groups & touched
        ]
        made = self[touched] = self._written(positions) if positions else None
        return made

    def _written(self, positions: list[int]) -> Rejudge:
        """One flat function for several rules: it runs for every event."""
        source = Source()
        source.add("holds, untils, due, flipped = customer.holds, customer.untils, customer.due, None")
        for position in positions:
            answer = self._segments[position].rule.node.emit(source)
            if answer.until is not None:
                source.add(f"if {answer.until} < untils[{position}]: customer.nearer = True")
                source.add(f"untils[{position}] = {answer.until}")
                source.add(f"if {answer.until} < due: due = {answer.until}")
            holds = source.name()
            source.add(f"{holds} = {answer.holds}")
            with source.block(f"if {holds} is not holds[{position}]:"):
                source.add(f"holds[{position}] = {holds}")
                source.add(f"flipped = [{position}] if flipped is None else [*flipped, {position}]")
        source.add("customer.due = due", "return flipped")
        return source.function("customer, profile, now")


@dataclass(frozen=True)
class Definitions:
    """A version of all segments, and of the parameters that their predictions are made with."""

    version: int
    segments: tuple[Segment, ...]
    rates: Rates
    parameters: ModelParameters | None = None
    """None: no prediction has a value."""
    is_refitted: bool = False
    """New parameters made it a version of its own."""
    positions: dict[str, int] = field(init=False)
    """The position of each segment by its key."""
    rejudges: "Rejudges" = field(init=False)
    """What judges the rules that read any of some groups of facts."""

    def __post_init__(self) -> None:
        """Number the segments."""
        object.__setattr__(self, "positions", {segment.key: i for i, segment in enumerate(self.segments)})
        object.__setattr__(self, "rejudges", Rejudges(self.segments))

    @property
    def predicts(self) -> bool:
        """Whether any rule asks for a prediction."""
        return any(segment.rule.groups & MODELS for segment in self.segments)

    @property
    def model_version(self) -> int | None:
        """The version of the parameters; None: there are none."""
        return None if self.parameters is None else self.parameters.version

    @cached_property
    def model_json(self) -> str:
        """The same as JSON."""
        return "null" if self.parameters is None else str(self.parameters.version)

    @property
    def currency(self) -> str:
        """The currency that profiles count in."""
        return self.rates.base

    def segment(self, key: str) -> Segment | None:
        """The segment of a key."""
        return next((segment for segment in self.segments if segment.key == key), None)


def compile_definitions(text: str, parameters: ModelParameters | None = None) -> Definitions:
    """Definitions from the text of a file, their predictions made with some parameters.

    Raises:
        ParametersError: the parameters are of another currency.
        DefinitionsError: every fault of every rule, as "line 12 column 9: [segments.vip] when: …".
    """
    file = parse_definitions(text)
    base = file.currency.base
    if parameters is not None and parameters.currency != base:
        raise ParametersError(
            f"these parameters were fitted in {parameters.currency}, and the definitions count in {base}; fit anew"
        )
    compiler = _Compiler(file, text, None if parameters is None else Predictor(parameters))
    segments = []
    for key, definition in file.segments.items():
        rule = compiler.compiled(key)
        if rule is not None:
            segments.append(Segment(key, definition.title, definition.when, rule))
    if compiler.faults:
        raise DefinitionsError(compiler.faults)
    return Definitions(file.version, tuple(segments), Rates.of(file.currency), parameters)


class _Compiler:
    """Compiles each rule once, those that it refers to first, and collects the faults."""

    def __init__(self, file: DefinitionsFile, text: str, predictor: Predictor | None) -> None:
        self.file = file
        self.predictor = predictor
        self.text = text
        self.rules: dict[str, Rule | None] = {}
        self.path: list[str] = []
        self.chains: dict[str, int] = {}
        """Segment -> the length of the longest chain that begins with it."""
        self.weights: dict[str, int] = {}
        """Segment -> how many rules its judging comes to."""
        self.faults: list[str] = []

    def compiled(self, key: str) -> Rule | None:
        """The rule of a segment; None if it has a fault, which is then in `faults`."""
        if key not in self.rules:
            self.path.append(key)
            self.chains[key] = self.weights[key] = 1
            when = self.file.segments[key].when
            try:
                self.rules[key] = parse_rule(when, self.lookup, self.file.currency.base, self.predictor)
            except RuleError as error:
                self.rules[key] = None
                self.faults.append(_place(self.text, key, when, error.fault))
            finally:
                self.path.pop()
        return self.rules[key]

    def lookup(self, key: str) -> Rule:
        """The rule of another segment, for a reference to it."""
        if key not in self.file.segments:
            raise RuleError(Fault(0, unknown("segment", key, list(self.file.segments))))
        if key in self.path:
            circle = " -> ".join([*self.path[self.path.index(key) :], key])
            raise RuleError(Fault(0, f"segments refer to each other in a circle: {circle}"))
        if key not in self.rules and len(self.path) >= MAX_CHAIN:
            raise RuleError(Fault(0, _TOO_LONG))
        rule = self.compiled(key)
        if rule is None:
            raise RuleError(Fault(0, f"segment '{key}' has a fault of its own"))
        self.weigh(self.path[-1], key)
        return rule

    def weigh(self, key: str, referred: str) -> None:
        """Note a reference, and refuse one too many: judging must end soon, whatever the rules are."""
        self.chains[key] = max(self.chains[key], self.chains[referred] + 1)
        self.weights[key] += self.weights[referred]
        if self.chains[key] > MAX_CHAIN:
            raise RuleError(Fault(0, _TOO_LONG))
        if self.weights[key] > MAX_REFERENCES:
            raise RuleError(Fault(0, f"with all that it refers to, this is more than {MAX_REFERENCES} rules"))


def _place(text: str, key: str, when: str, fault: Fault) -> str:
    """A fault with its line and column in the file, as an editor counts them."""
    offset = find(text, ("segments", key, "when"))
    start = None if offset is None else _OPENING.match(text, offset)
    if start is None:
        return f"[segments.{key}] column {fault.offset + 1} of its rule: {fault.message}"
    blank = len(when) - len(when.lstrip())
    position = min(start.end() + blank + fault.offset, len(text))
    return f"{place(text, position)}: [segments.{key}] {fault.message}"
