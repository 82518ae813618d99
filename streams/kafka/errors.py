"""Errors of this package."""


class KafkaSideError(Exception):
    """Base of every error that this package raises."""


class TopicsError(KafkaSideError):
    """Topics that cannot be created, or do not fit together."""


class TailError(KafkaSideError):
    """The change stream's tail holds something that no classifier of ours wrote."""


class GapError(KafkaSideError):
    """Records that are yet to be read are no longer in Kafka."""
