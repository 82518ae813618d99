"""By which version of the definitions a shard judges, and how far its sweep is: written with its commits."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.instants import Instant

BEGINNING = ""
"""The cursor of a sweep that has not begun."""
_DONE = "done"
_LONG_AGO: Instant = -(2**62)


@dataclass(frozen=True)
class Judging:
    """What a shard's commits were judged by, from the one on that wrote this down."""

    version: int = 0
    """Of the definitions; 0: it was never written down."""
    cut_over: Instant = _LONG_AGO
    """When this version took over from the one before, in the shard's time."""
    sweep: str | None = None
    """The cursor (`streams.state.port.Page`) up to which those who are stored were judged anew; None: all were."""
    swept: int = 0
    """About how many of them those are."""

    def fields(self) -> list[str]:
        """As fields of the meta key: name, value, and so on."""
        sweep = _DONE if self.sweep is None else self.sweep
        return ["version", str(self.version), "cut_over", str(self.cut_over), "sweep", sweep, "swept", str(self.swept)]


def read_judging(meta: Mapping[str, bytes]) -> Judging:
    """What `Judging.fields` wrote into the meta key."""
    if "version" not in meta:
        return Judging()
    sweep = meta["sweep"].decode()
    cursor = None if sweep == _DONE else sweep
    return Judging(int(meta["version"]), int(meta["cut_over"]), cursor, int(meta["swept"]))
