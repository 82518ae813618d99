"""Clusters: k-means on the scaled table, and the number of them by the mean silhouette."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from streams.discover.errors import TooLittleError
from streams.discover.population import Table

MOST_CLUSTERS = 8
"""More than people can act on."""
_WEAK = 0.25
"""Below this mean silhouette, there is no structure to speak of. Source: Kaufman, Rousseeuw (1990), table 4."""
_LEARNT_FROM = 5_000
"""Customers that centres are found by, and silhouettes taken of: their time grows with the square."""
_STARTS = 10

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Clustering:
    """Who belongs together."""

    labels: Labels
    """Customer -> cluster, numbered from 0, the largest first."""
    silhouettes: dict[int, float]
    """Number of clusters that was tried -> mean silhouette, from -1 to 1."""

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max()) + 1

    @property
    def silhouette(self) -> float:
        """Of this number of clusters."""
        return self.silhouettes[self.count]

    @property
    def is_weak(self) -> bool:
        """Whether there is no structure to speak of."""
        return self.silhouette < _WEAK


def cluster(scaled: Table, seed: int, wanted: int | None = None) -> Clustering:
    """The clusters of a table: so many, or as many as have the highest mean silhouette, the fewer of two that tie.

    One thread: sums in another order would end in other clusters, and the machine may have workers on it.

    Raises:
        TooLittleError: there are fewer different customers than clusters.
    """
    dice = np.random.default_rng(seed)
    sample = scaled
    if len(scaled) > _LEARNT_FROM:
        sample = scaled[np.sort(dice.choice(len(scaled), _LEARNT_FROM, replace=False))]
    different = len(np.unique(sample, axis=0))
    if different < (wanted or 2):
        raise TooLittleError(
            f"too little to find groups in: {different} different customers, and {wanted or 2} clusters were asked for"
        )
    tried = [wanted] if wanted else list(range(2, max(2, min(MOST_CLUSTERS, different - 1)) + 1))
    with threadpool_limits(limits=1):
        found = {count: KMeans(count, n_init=_STARTS, random_state=seed).fit(sample) for count in tried}
        silhouettes = {count: float(silhouette_score(sample, model.labels_)) for count, model in found.items()}
        best = max(silhouettes, key=lambda count: (round(silhouettes[count], 6), -count))
        labels = found[best].predict(scaled)
    return Clustering(_by_size(labels), silhouettes)


def _by_size(labels: Labels) -> Labels:
    """The same clusters, numbered by size; of two of one size, whose first customer comes first."""
    names, firsts, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-sizes[i], firsts[i]))
    ranks = {names[i]: rank for rank, i in enumerate(order)}
    return np.array([ranks[label] for label in labels], dtype=np.int64)
