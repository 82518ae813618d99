"""Errors of this package."""


class FitError(Exception):
    """Base of every error that this package raises."""


class TooLittleError(FitError):
    """There is not enough to fit a model to."""


class ConvergenceError(FitError):
    """The data does not say which parameters fit best."""


class ExtraError(FitError):
    """The libraries that fitting needs are not installed."""
