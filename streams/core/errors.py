"""Errors of the pure core. Every message names the thing, the place and the way out."""

from dataclasses import dataclass


class CoreError(Exception):
    """Base of every error that the core raises."""


class LayoutError(CoreError):
    """A stored profile that this version cannot read."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a rule: where, as an offset of characters into its text, and what."""

    offset: int
    message: str


class RuleError(CoreError):
    """A rule that is not of the language."""

    def __init__(self, fault: Fault) -> None:
        """Keep the place beside the sentence."""
        super().__init__(fault.message)
        self.fault = fault
