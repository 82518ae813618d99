"""Errors of this package. Every message names the thing, the place and the way out."""


class ConsumerError(Exception):
    """Base of every error that this package raises."""


class UnavailableError(ConsumerError):
    """What an effect needs is away for now, and the change is not at fault: tried again until it is back.

    A handler may raise it, too: then its change does not become a dead letter.
    """
