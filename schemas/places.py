"""Where something stands in a TOML file, for messages: tomllib says it of its own faults only."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def find(text: str, path: Sequence[str]) -> int | None:
    r"""The offset of a key, or else of the table that should have it; None where neither is found.

    Known are tables under a header of their own, and within one a key at the beginning of a line: what people write.

    >>> find('[segments.vip]\ntitle = "VIP"\n', ("segments", "vip", "title"))
    15
    """
    for depth in range(len(path), 0, -1):
        header = re.search(rf"^[ \t]*(\[[ \t]*{_dotted(path[:depth])}[ \t]*\])", text, re.MULTILINE)
        if header is not None:
            key = _key(text, path[depth:], header.end())
            return header.start(1) if key is None else key
    return _key(text, path, 0)


def _key(text: str, path: Sequence[str], start: int) -> int | None:
    """The offset of a key between `start` and the next header; of the longest part of it that is there."""
    next_header = _HEADER.search(text, start)
    end = len(text) if next_header is None else next_header.start()
    for length in range(len(path), 0, -1):
        key = re.compile(rf"^[ \t]*({_dotted(path[:length])})[ \t]*[=.]", re.MULTILINE).search(text, start, end)
        if key is not None:
            return key.start(1)
    return None


def _dotted(names: Sequence[str]) -> str:
    """A pattern of a dotted key, each part plain or in quotes."""
    return r"[ \t]*\.[ \t]*".join(rf"[\"']?{re.escape(name)}[\"']?" for name in names)


def place(text: str, offset: int) -> str:
    r"""An offset as an editor counts.

    >>> place("a\nbc", 3)
    'line 2 column 2'
    """
    line, before = text.count("\n", 0, offset) + 1, text.rfind("\n", 0, offset)
    return f"line {line} column {offset - before}"
