"""The picture of a discovery: what sets each cluster apart, and how the number of clusters was chosen."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from streams.discover.candidates import Candidate, amount
from streams.discover.clustering import Clustering

FORMATS = (".svg", ".png", ".pdf")
_STRONG = 2.0
"""Standard deviations at which the colours end."""
_LIGHT = 1.3
"""Beyond it, the ground is so dark that figures on it are white."""


def draw(found: list[Candidate], clustering: Clustering, customers: int, path: Path) -> None:
    """Write the picture; the file's name says in which format, one of `FORMATS`. The same find gives the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "segments"}):
        rows = len(found[0].traits)
        figure = Figure(figsize=(4.5 + 1.7 * len(found) + 3.5, 1.8 + 0.42 * rows), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[2.2 + 0.8 * len(found), 2.2])
        _traits(figure, left, found, customers)
        _silhouettes(right, clustering)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _traits(figure: Any, axes: Any, found: list[Candidate], customers: int) -> None:
    """One column a cluster, one row a feature, coloured by how far it is from the others, with the typical value."""
    by_name = [{trait.feature: trait for trait in one.traits} for one in found]
    names = sorted(by_name[0], key=lambda name: -max(abs(traits[name].effect) for traits in by_name))
    grid = [[traits[name].effect for traits in by_name] for name in names]
    shown = axes.imshow(grid, cmap="RdBu_r", vmin=-_STRONG, vmax=_STRONG, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(
        range(len(found)), [f"{one.key}\n{len(one.members)} ({len(one.members) / customers:.0%})" for one in found]
    )
    for row, name in enumerate(names):
        for column, traits in enumerate(by_name):
            trait = traits[name]
            color = "white" if abs(trait.effect) > _LIGHT else "black"
            text = amount(trait.inside, trait.kind)
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    axes.set_title("Typical values; colour: how far above or below the others")
    figure.colorbar(shown, ax=axes, label="standard deviations")


def _silhouettes(axes: Any, clustering: Clustering) -> None:
    counts = sorted(clustering.silhouettes)
    axes.plot(counts, [clustering.silhouettes[count] for count in counts], marker="o", color="#1f4e79")
    axes.plot([clustering.count], [clustering.silhouette], marker="o", markersize=12, fillstyle="none", color="#d9822b")
    axes.set_xticks(counts)
    axes.set_xlabel("clusters")
    axes.set_title("Mean silhouette")
