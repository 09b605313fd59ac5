"""What a user can cause, said in one sentence with the value and the remedy.

An ``assert`` marks our own mistakes; these classes mark everything a user, a file or a machine can bring about.
"""


class MesmError(ValueError):
    """Base of every error that a user can cause; its text is one sentence fit for a terminal or a page."""


class ConfigError(MesmError):
    """A setting has a value that cannot work."""


class DataError(MesmError):
    """A file, clip or corpus cannot be read or lacks something that is needed."""


class CheckpointError(MesmError):
    """A checkpoint is missing, incomplete, or does not fit what is asked of it."""


class BackendUnavailable(MesmError):  # noqa: N818 - the name says what happened, as in the README
    """An optional package or device that the call needs is not there."""
