"""The versions of the model parameters: which messages of their topic count. Pure.

Whoever reads the messages in their order comes to the same versions: one counts if its number is the one after the
latest. So of two that were published at once the first counts, for everybody, and the other is void.
"""

from schemas.errors import ParametersError
from schemas.parameters import ModelParameters, read_parameters


class ModelLibrary:
    """All versions that have been read. The first may have any number."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.versions: list[ModelParameters] = []
        """Those that count, in order."""

    @property
    def last(self) -> ModelParameters | None:
        """The latest version; None: there is none."""
        return self.versions[-1] if self.versions else None

    @property
    def next(self) -> int:
        """The number that the next version must have."""
        return self.versions[-1].version + 1 if self.versions else 1

    def feed(self, value: bytes | None) -> str | None:
        """Take in a message; a sentence if it does not count."""
        try:
            found = read_parameters(value or b"", "the message")
        except ParametersError as error:
            return str(error)
        if not found.version:
            return "the message has no version"
        if self.versions and found.version != self.next:
            return f"version {found.version} came where {self.next} was next; somebody else's was first"
        self.versions.append(found)
        return None

    def find(self, version: int) -> ModelParameters | None:
        """A version; None: there is none."""
        number = version - self.versions[0].version if self.versions else -1
        return self.versions[number] if 0 <= number < len(self.versions) else None
