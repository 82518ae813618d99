"""The picture of a fit: repeat purchases over time, and the holdout by how often buyers had bought before."""

from pathlib import Path

from matplotlib.figure import Figure

from schemas.instants import to_datetime
from streams.fit.report import MOST_REPEATS, FitReport

FORMATS = (".svg", ".png", ".pdf")
_ACTUAL, _EXPECTED = {"color": "#1f4e79", "label": "what happened"}, {"color": "#d9822b", "label": "expected"}


def draw(report: FitReport, path: Path) -> None:
    """Write the picture; the file's name says in which format, one of `FORMATS`."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    tracking = report.tracking
    days = [to_datetime(day) for day in tracking.days]
    left.plot(days, tracking.actual, **_ACTUAL)
    left.plot(days, tracking.expected, linestyle="--", **_EXPECTED)
    if report.holdout:
        left.axvline(to_datetime(report.parameters.as_of), color="grey", linewidth=0.8)
        left.text(to_datetime(report.parameters.as_of), 0, " holdout", color="grey", va="bottom")
    left.set_title("Repeat purchases, added up")
    left.tick_params(axis="x", rotation=30)
    left.legend()
    right.set_title("Purchases in the holdout, by repeat purchases before")
    if report.groups:
        names = [f"{one.repeats}{'+' if one.repeats == MOST_REPEATS else ''}" for one in report.groups]
        right.plot(names, [one.actual for one in report.groups], marker="o", **_ACTUAL)
        right.plot(names, [one.expected for one in report.groups], marker="s", linestyle="--", **_EXPECTED)
        right.legend()
    else:
        right.text(0.5, 0.5, "nothing came after the day of the sample", ha="center", transform=right.transAxes)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
