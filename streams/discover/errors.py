"""Errors of this package."""


class DiscoverError(Exception):
    """Base of every error that this package raises."""


class TooLittleError(DiscoverError):
    """There are not enough customers, or they do not differ enough, to look for groups among them."""


class LibrariesError(DiscoverError):
    """The libraries that discovery needs are not installed."""
