"""Define the interface of every model: scores of a batch, computed in two halves around top_p."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeAlias, TypeVar

from torch import Tensor, nn

from mesm.batch import Batch
from mesm.config import ModelConfig
from mesm.errors import DataError
from mesm.layers.text import TextEncoder
from mesm.models.inputs import Inputs
from mesm.models.output import ModelOutput

P = TypeVar("P")


class Scorer(nn.Module, ABC, Generic[P]):
    """Score the emotions of a batch. `P` is the type of the values between the two halves.

    Attributes:
        config: shape and arithmetic.
        text_encoder: the trainable text encoder that is part of the model, or None.
        has_branches: whether each modality has scores and a fusion weight of its own.
    """

    config: ModelConfig
    text_encoder: TextEncoder | None
    has_branches = True

    @property
    @abstractmethod
    def inputs(self) -> Inputs:
        """Return the kind of input that the model's batches are collated with."""

    @abstractmethod
    def prepare(self, batch: Batch) -> P:
        """Compute everything that does not depend on top_p.

        Raises:
            DataError: the batch lacks an input, or a clip has no modality that can be scored.
        """

    @abstractmethod
    def finish(self, prepared: P, top_p: float | None = None, trace: bool = False) -> ModelOutput:
        """Compute the scores from `prepare`'s values.

        Args:
            prepared: of this model.
            top_p: nucleus mass in (0, 1], the config's if None; without effect on a model without attention.
            trace: also return every layer's attention, nucleus and active sites.
        """

    def forward(
        self,
        batch: Batch,
        top_p: float | None = None,
        trace: bool = False,
        query_index_B: Tensor | None = None,
        second_query_index_B: Tensor | None = None,
    ) -> ModelOutput:
        """Score a batch: `prepare`, then `finish`.

        Args:
            batch: collated for `inputs`.
            top_p: see `finish`.
            trace: see `finish`.
            query_index_B: see `EmotionModel.forward`; without effect on other models, as is `second_query_index_B`.
        """
        return self.finish(self.prepare(batch), top_p, trace)

    def attention_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the cross-modal attention; none but for MESM."""
        return []

    def check_present(self, batch: Batch, present_BM: Tensor) -> None:
        """Refuse a clip that has no modality of the model.

        Raises:
            DataError: there is one.
        """
        if not bool(present_BM.any(1).all()):
            clip = batch.clip_ids[int((~present_BM.any(1)).nonzero()[0])]
            raise DataError(f"clip {clip!r} has none of {', '.join(self.config.modalities)}; nothing can be scored")


#: A model of any kind, as the registry and the checkpoints have it.
AnyScorer: TypeAlias = Scorer[Any]
