"""Discovery on a real system: the groups of its own customers, and a file that preview takes."""

from pathlib import Path

import orjson
import pytest

from schemas.instants import rfc3339
from tests.groups import NOW, SIZES, events_of, written
from tests.integration.system import System
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


async def test_groups_of_the_running_system_are_those_of_its_events_and_preview_takes_the_candidates(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path, out = written(events_of(9, SIZES), tmp_path / "events.jsonl"), tmp_path / "candidates.toml"
    async with System(fresh_stack, clock_at=str(NOW)) as system:
        system.start_worker()
        await system.wait_owned()
        refused = system.run("discover", "--out", str(out))
        assert (refused.returncode, refused.stdout, out.exists()) == (1, b"", False)
        assert b"too little to find groups in: 0 customers" in refused.stderr
        system.publish(path)
        await system.wait_applied(NOW)
        before = await system.members()

        done = system.run("discover", "--json", "--out", str(out), "--plot", str(tmp_path / "candidates.png"))
        assert done.returncode == 0, done.stderr.decode()
        found = orjson.loads(done.stdout)["clusters"]
        of_file = orjson.loads(system.run("discover", str(path), "--as-of", rfc3339(NOW), "--json").stdout)["clusters"]
        told = ("key", "size", "when", "holds_for", "precision", "recall")
        assert [[one[name] for name in told] for one in found] == [[one[name] for name in told] for one in of_file]
        assert (tmp_path / "candidates.png").read_bytes().startswith(b"\x89PNG")

        seen = orjson.loads(system.run("preview", str(out), "--json").stdout)["segments"]
        joining = {key: one["joining"]["count"] for key, one in seen.items() if one["edit"] == "new"}
        assert joining == {one["key"]: one["holds_for"] for one in found}
        assert {one["edit"] for key, one in seen.items() if key not in joining} == {"same"}
        assert await system.members() == before
