"""Positions in SQLite: the effect's statements and the position in one transaction of one file."""

import asyncio
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from consumers.errors import UnavailableError
from consumers.positions import Act, Position, is_done

_TABLE = """
CREATE TABLE IF NOT EXISTS positions (
    "group" TEXT NOT NULL, shard INTEGER NOT NULL, sequence INTEGER NOT NULL, "offset" INTEGER NOT NULL,
    PRIMARY KEY ("group", shard)
) WITHOUT ROWID
"""
_PUT = """
INSERT INTO positions VALUES (?, ?, ?, ?)
ON CONFLICT ("group", shard) DO UPDATE SET sequence = excluded.sequence, "offset" = excluded."offset"
"""
_BUSY_SECONDS = 5.0


class SqlitePositions:
    """A table `positions` in the file. An effect gets the connection, in a transaction that it must not end.

    One effect at a time: the file has one writer.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file, or make it."""
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(_TABLE)
        self._alone = asyncio.Lock()

    async def load(self, group: str, shards: Collection[int]) -> dict[int, Position]:
        """See `Positions`."""
        async with self._alone:
            with _locked():
                found = {shard: self._stored(group, shard) for shard in shards}
        return {shard: position for shard, position in found.items() if position is not None}

    async def once(self, group: str, shard: int, position: Position, act: Act[sqlite3.Connection]) -> bool:
        """See `Positions`."""
        async with self._alone:
            with _locked():
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    is_new = not is_done(self._stored(group, shard), position)
                    if is_new:
                        await act(self._connection)
                        self._connection.execute(_PUT, (group, shard, *position))
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._connection.rollback()
                    raise
        return is_new

    async def forget(self, group: str) -> None:
        """See `Positions`."""
        async with self._alone:
            with _locked():
                self._connection.execute('DELETE FROM positions WHERE "group" = ?', (group,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Close it with the block."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """See `close`."""
        self.close()

    def _stored(self, group: str, shard: int) -> Position | None:
        query = 'SELECT sequence, "offset" FROM positions WHERE "group" = ? AND shard = ?'
        with closing(self._connection.execute(query, (group, shard))) as rows:
            row: tuple[int, int] | None = rows.fetchone()
        return None if row is None else Position(*row)


@contextmanager
def _locked() -> Iterator[None]:
    """Another process writes to the file for longer than we wait."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise
        raise UnavailableError("the SQLite file that holds the positions is locked by another process") from error
