"""Define the errors that a user can cause; each message is one sentence with the value and the remedy.

An ``assert`` marks programming errors; these classes mark everything that a user, a file or a machine can cause.
"""


class MesmError(ValueError):
    """Represent any error that a user can cause; its text is one sentence fit for a terminal or a page."""


class ConfigError(MesmError):
    """Signal a setting whose value cannot work."""


class DataError(MesmError):
    """Signal a file, clip or corpus that cannot be read or lacks something that is needed."""


class CheckpointError(MesmError):
    """Signal a checkpoint that is missing, incomplete, or of the wrong kind for the call."""


class BackendUnavailable(MesmError):  # noqa: N818 - the name states the condition, as in the README
    """Signal an optional package or device that the call needs and that is missing."""
