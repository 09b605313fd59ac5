"""Check that a corpus has the truth that an objective trains on."""

from __future__ import annotations

from mesm.data.store import Corpus
from mesm.errors import ConfigError


def require_capabilities(corpus: Corpus, capabilities: tuple[str, ...], setting: str) -> None:
    """Check a corpus for capabilities (`vocabulary.CAPABILITIES`).

    Args:
        setting: that switches the objective off at 0, for the message.

    Raises:
        ConfigError: the corpus lacks one.
    """
    lacking = [name.replace("_", " ") for name in capabilities if name not in corpus.capabilities]
    if lacking:
        raise ConfigError(
            f"corpus {corpus.name!r} has no known {' and '.join(lacking)}; set train.{setting}=0, or train on a corpus that "
            "has them, such as marionette"
        )
