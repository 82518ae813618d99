"""Candidates: each cluster with what sets it apart, and a rule for it, judged by the core against the cluster."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from schemas.instants import rfc3339
from streams.core.definitions import compile_definitions
from streams.core.language.terms import Kind
from streams.discover.clustering import Clustering
from streams.discover.features import judged_at
from streams.discover.population import Population, Table, in_units
from streams.discover.tree import Members, boxes_of
from streams.discover.wording import rule_of

_NAMED = 3
_APART = 0.5
"""Standard deviations of all customers between the means of a cluster and of the others, at the least, to be named; the
one that differs most is named in any case. Source of the size: Cohen (1988), a medium effect."""

_LONGEST_TITLE = 128
"""Of a segment."""


@dataclass(frozen=True)
class Trait:
    """A feature in which a cluster differs from the others."""

    feature: str
    kind: Kind
    effect: float
    """Its mean less that of the others, in standard deviations of all, on the scale of the clustering."""
    inside: float | None
    """The median of the cluster, in days, major units or numbers; of a truth, the share. None: most have no value."""
    outside: float | None


@dataclass(frozen=True)
class Candidate:
    """A cluster as a segment that might be."""

    key: str
    members: list[str]
    """The cluster, by id."""
    traits: list[Trait]
    """Every feature, the one that differs most first."""
    when: str
    judged: int
    """How many customers the rule holds for."""
    right: int
    """How many of them are of the cluster."""

    @property
    def precision(self) -> float:
        """The share of those whom the rule holds for that is of the cluster; 0 where it holds for nobody."""
        return self.right / self.judged if self.judged else 0.0

    @property
    def recall(self) -> float:
        """The share of the cluster that the rule holds for."""
        return self.right / len(self.members)

    @property
    def apart(self) -> list[Trait]:
        """What sets it apart: a few traits."""
        return [trait for i, trait in enumerate(self.traits[:_NAMED]) if not i or abs(trait.effect) >= _APART]

    @property
    def title(self) -> str:
        """What sets it apart, in words."""
        words = [f"{'high' if trait.effect > 0 else 'low'} {trait.feature}" for trait in self.apart]
        fitting = [", ".join(words[:many]) for many in range(len(words), 0, -1)]
        return next(title for title in fitting if len(title) <= _LONGEST_TITLE)


def candidates(population: Population, found: Clustering, seed: int, taken: Collection[str]) -> list[Candidate]:
    """A candidate for each cluster, the largest first, under keys that no other segment has."""
    keys = islice((key for n in count(1) if (key := f"discovered_{n}") not in taken), found.count)
    return [_candidate(key, population, found.labels == number, seed) for number, key in enumerate(keys)]


def _candidate(key: str, population: Population, inside: Members, seed: int) -> Candidate:
    when = rule_of(boxes_of(population.values, inside, seed), population)
    holds = _judged(key, when, population)
    members = [profile.id for profile, is_in in zip(population.profiles, inside, strict=True) if is_in]
    traits = sorted(_traits(population, inside), key=lambda trait: -abs(trait.effect))
    right = int(np.count_nonzero(holds & inside))
    return Candidate(key, members, traits, when, int(np.count_nonzero(holds)), right)


def _judged(key: str, when: str, population: Population) -> Members:
    """Whom the written rule holds for, by the core."""
    (segment,) = compile_definitions(_currency(population.currency) + _table(key, key, when, "")).segments
    now = population.now
    return np.array([segment.judge(one, judged_at(one, now))[0] for one in population.profiles], dtype=bool)


def _traits(population: Population, inside: Members) -> list[Trait]:
    traits = []
    for column, feature in enumerate(population.features):
        scaled = population.scaled[:, column]
        values = in_units(population.values[:, column], feature, population.currency)
        effect = float((scaled[inside].mean() - scaled[~inside].mean()) / scaled.std())
        both = [_typical(values[members], feature.kind) for members in (inside, ~inside)]
        traits.append(Trait(feature.text, feature.kind, effect, *both))
    return traits


def _typical(values: Table, kind: Kind) -> float | None:
    there = values[~np.isnan(values)]
    if 2 * len(there) <= len(values):
        return None
    return float(np.mean(there) if kind is Kind.TRUTH else np.median(there))


def amount(value: float | None, kind: Kind) -> str:
    """A typical value as people read it."""
    if value is None:
        return "none"
    if kind is Kind.TRUTH:
        return f"{value:.0%}"
    return f"{value:.4g} days" if kind is Kind.DURATION else f"{value:,.2f}".removesuffix(".00")


def file_of(definitions_text: str, found: list[Candidate], population: Population) -> str:
    """A definitions file with the candidates at its end, and all that was there before as it was.

    Raises:
        DefinitionsError: they do not go together, such as more segments than there may be.
    """
    of = f"{len(population.profiles)} customers as of {rfc3339(population.now)}"
    head = f"\n# Candidates that segments discover found among {of}. Keep, edit and name those that mean something.\n"
    tables = "\n".join(
        _table(one.key, one.title, one.when, _description(one, len(population.profiles))) for one in found
    )
    text = definitions_text.rstrip("\n") + "\n" + head + tables
    compile_definitions(text)
    return text


def _description(one: Candidate, customers: int) -> str:
    traits = "; ".join(
        f"{trait.feature}: {amount(trait.inside, trait.kind)}, others {amount(trait.outside, trait.kind)}"
        for trait in one.apart
    )
    return (
        f"A cluster of {len(one.members)} of {customers} customers. {traits}. The rule holds for {one.judged}: "
        f"precision {one.precision:.3f}, recall {one.recall:.3f} against the cluster."
    )


def _currency(base: str) -> str:
    return f"[currency]\nbase = {_quoted(base)}\n"


def _table(key: str, title: str, when: str, description: str) -> str:
    lines = [f"[segments.{key}]", f"title = {_quoted(title)}"]
    lines += [f"description = {_quoted(description)}"] if description else []
    return "\n".join([*lines, f"when = {_quoted(when)}", ""])


def _quoted(text: str) -> str:
    """A basic string of TOML; nothing that is written here has control characters."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
