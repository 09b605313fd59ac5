"""Errors that a user can cause; each message is one sentence with the value and the remedy.

An ``assert`` marks programming errors; these classes mark everything that a user, a file or a machine can cause.
"""


class MesmError(ValueError):
    """Base of every error that a user can cause; its text is one sentence fit for a terminal or a page."""


class ConfigError(MesmError):
    """A setting has a value that cannot work."""


class DataError(MesmError):
    """A file, clip or corpus cannot be read or lacks something that is needed."""


class CheckpointError(MesmError):
    """A checkpoint is missing, incomplete, or of the wrong kind for the call."""


class BackendUnavailable(MesmError):  # noqa: N818 - the name states the condition, as in the README
    """An optional package or device that the call needs is missing."""
