"""The versions of the definitions: which messages count, and what each of them is compiled to. Pure.

A version names the parameters that its predictions are made with; new parameters alone are a new version, too.

Whoever reads the messages in their order comes to the same versions: one counts if its number is the one after the
latest. So of two that were published at once the first counts, for everybody, and the other is void.
"""

from dataclasses import replace
from functools import lru_cache

from schemas.definitions import DefinitionsVersion, parse_definitions, read_version
from schemas.errors import DefinitionsError, ParametersError
from schemas.parameters import ModelParameters
from streams.core.definitions import Definitions, compile_definitions
from streams.core.predict.library import ModelLibrary


class Library:
    """All versions that have been read. The first may have any number."""

    def __init__(self, models: ModelLibrary | None = None) -> None:
        """Nothing was read yet. `models` has the parameters that versions name."""
        self._models = ModelLibrary() if models is None else models
        self.versions: list[DefinitionsVersion] = []
        """Those that count, in order."""

    @property
    def last(self) -> DefinitionsVersion | None:
        """The latest version; None: there is none."""
        return self.versions[-1] if self.versions else None

    def feed(self, value: bytes | None) -> bool:
        """Take in a message; whether it counts."""
        message = read_version(value)
        if message is None or (self.versions and message.version != self.versions[-1].version + 1):
            return False
        self.versions.append(message)
        return True

    def find(self, version: int) -> DefinitionsVersion | None:
        """The message of a version; None: there is none."""
        number = version - self.versions[0].version if self.versions else -1
        return self.versions[number] if 0 <= number < len(self.versions) else None

    def compiled(self, version: int) -> Definitions | None:
        """The definitions of a version; None: there is none.

        Raises:
            DefinitionsError: this program does not understand it, or a later one published it.
        """
        message = self.find(version)
        if message is None:
            return None
        model_version = message.model_version
        parameters = None if model_version is None else self._models.find(model_version)
        if parameters is None and model_version is not None:
            fault = f"version {model_version} of the model parameters, which it names, is not on their topic"
            raise DefinitionsError([f"version {version} of the definitions: {fault}"])
        return _compiled(message.text, version, parameters, is_refitted=message.origin == "fit")


@lru_cache(maxsize=32)
def _compiled(text: str, version: int, parameters: ModelParameters | None, *, is_refitted: bool) -> Definitions:
    try:
        return replace(compile_definitions(text, parameters), version=version, is_refitted=is_refitted)
    except DefinitionsError as error:
        faults = [f"version {version} of the definitions: {fault}" for fault in error.faults]
        raise DefinitionsError(faults) from None
    except ParametersError as error:
        raise DefinitionsError([f"version {version} of the definitions: {error}"]) from None


def says_the_same(text: str, other: str) -> bool:
    """Whether two definitions files come to the same, whatever version they call themselves, and however written.

    Raises:
        DefinitionsError: one is no definitions file.
    """
    a, b = (parse_definitions(one).model_copy(update={"version": 1}) for one in (text, other))
    return a == b and list(a.segments) == list(b.segments)
