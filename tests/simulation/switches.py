"""What a run can be made of instead of the product."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from streams.state.memory import MemoryStore
from tests.simulation.plan import FAULTS


@dataclass(frozen=True)
class Switches:
    """What a run is made of; the defaults are the product."""

    store: Callable[[], MemoryStore] = MemoryStore
    seen: Callable[[], dict[int, int]] = dict
    """Shard -> the latest sequence that a subscriber has seen."""
    patches: tuple[tuple[Any, str, Any], ...] = ()
    """(what, its attribute, the value instead), while the run lasts."""
    faults: tuple[str, ...] = FAULTS
    """Kinds of faults that it takes to tell it from the product."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """While the run lasts."""
        if not self.patches:
            yield
            return
        what, name, value = self.patches[0]
        with patch.object(what, name, value), replace(self, patches=self.patches[1:]).active():
            yield
