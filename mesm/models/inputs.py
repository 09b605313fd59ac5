"""Define a model's inputs: `Scorer.inputs` is one of three values, and each builds the arguments of the loader.

`mesm.data.loading.collate` and `SplitLoader` take token ids, vectors of a frozen text encoder, or hand-crafted features.
A caller gives both providers, and only the one that the model needs is called:

    arguments = model.inputs.loader_arguments(vectors=lambda: {...}, features=lambda inputs: open_features(...))
    batch = collate(samples, labels, **arguments)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from torch import Tensor

from mesm.batch import Sample

#: Clip -> modality -> (rows, columns) hand-crafted features.
ReadFeatures = Callable[[Sample], Mapping[str, np.ndarray]]


class LoaderArguments(TypedDict, total=False):
    """Hold the keyword arguments of `collate` and `SplitLoader`; features, or one or both of the others.

    Keys:
        tokenize: B texts -> (B, T) int64 token ids and (B, T) bool mask.
        text_vectors: clip id -> (D,) vector of its text.
        features: see `ReadFeatures`.
    """

    tokenize: Callable[[Sequence[str]], tuple[Tensor, Tensor]]
    text_vectors: Mapping[str, Tensor]
    features: ReadFeatures


class Inputs(ABC):
    """Build the loader's arguments for one kind of input."""

    @abstractmethod
    def loader_arguments(
        self, vectors: Callable[[], Mapping[str, Tensor]], features: Callable[[Features], ReadFeatures]
    ) -> LoaderArguments:
        """Build the loader's arguments.

        Args:
            vectors: makes clip id -> (D,) vector of the clip's text by the frozen text encoder.
            features: makes the reader of the clips' features.
        """


@dataclass(frozen=True)
class TokenText(Inputs):
    """Hold faces, mels and token ids: the text encoder is a trainable part of the model.

    Attributes:
        tokenize: of that encoder.
    """

    tokenize: Callable[[Sequence[str]], tuple[Tensor, Tensor]]

    def loader_arguments(
        self, vectors: Callable[[], Mapping[str, Tensor]], features: Callable[[Features], ReadFeatures]
    ) -> LoaderArguments:
        """Return the tokenizer as the only argument."""
        return {"tokenize": self.tokenize}


@dataclass(frozen=True)
class FrozenText(Inputs):
    """Hold faces, mels and the vectors of a frozen text encoder outside of the model.

    Attributes:
        tokenize: of that encoder, for a text branch with a lexicon; None for none.
    """

    tokenize: Callable[[Sequence[str]], tuple[Tensor, Tensor]] | None = None

    def loader_arguments(
        self, vectors: Callable[[], Mapping[str, Tensor]], features: Callable[[Features], ReadFeatures]
    ) -> LoaderArguments:
        """Return the text vectors, and the tokenizer for a lexicon."""
        tokens: LoaderArguments = {} if self.tokenize is None else {"tokenize": self.tokenize}
        return {"text_vectors": vectors(), **tokens}


@dataclass(frozen=True)
class Features(Inputs):
    """Hold hand-crafted features of phase one instead of faces, mels and tokens.

    Attributes:
        modalities: those of the model.
        sources: what computed the features, one per modality.
        dims: columns of each modality.
    """

    modalities: tuple[str, ...]
    sources: tuple[str, ...]
    dims: tuple[int, ...]

    def loader_arguments(
        self, vectors: Callable[[], Mapping[str, Tensor]], features: Callable[[Features], ReadFeatures]
    ) -> LoaderArguments:
        """Return the reader of these features as the only argument."""
        return {"features": features(self)}
