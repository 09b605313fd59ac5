"""Define the errors that a user can cause; each message is one sentence with the value and the remedy.

An ``assert`` marks programming errors; these classes mark everything that a user, a file or a machine can cause.
"""

import re

#: Most characters of a sentence; of a longer one, which holds a name or a value of a damaged file, the middle is left out.
MAX_SENTENCE = 600
_BLANKS = re.compile(r"\s*[\n\r\t\v\f\x1c-\x1f\x85\u2028\u2029]\s*")
#: Control characters, halves of characters, and marks that turn the direction of the writing.
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class MesmError(ValueError):
    """Represent any error that a user can cause; its text is one sentence fit for a terminal or a page.

    Whatever names, values and reasons of other libraries a sentence holds, its text is one line of at most `MAX_SENTENCE`
    printable characters.
    """

    def __str__(self) -> str:
        line = _UNPRINTED.sub(lambda c: ascii(c[0])[1:-1], _BLANKS.sub(" ", super().__str__()))
        if len(line) <= MAX_SENTENCE:
            return line
        return f"{line[: MAX_SENTENCE - 203]}...{line[-200:]}"


class ConfigError(MesmError):
    """Signal a setting whose value cannot work."""


class DataError(MesmError):
    """Signal a file, clip or corpus that cannot be read or lacks something that is needed."""


class CheckpointError(MesmError):
    """Signal a checkpoint that is missing, incomplete, or of the wrong kind for the call."""


class BackendUnavailable(MesmError):  # noqa: N818 - the name states the condition, as in the README
    """Signal an optional package or device that the call needs and that is missing."""
