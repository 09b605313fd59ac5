"""Score a text by the word pieces and pairs of them that it holds: a linear bag-of-words term beside its embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from mesm.layers.bert import BertTokenizer
from mesm.layers.text import minilm_folder, token_ids

#: B texts -> (B, T) int64 ids and (B, T) bool mask.
Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
#: Multipliers that hash a pair of ids.
_FIRST, _SECOND = 7919, 104_729
#: Share of a text's entries that is left out in training.
_DROPOUT = 0.3


class Lexicon(nn.Module):
    """Sum learned logits of word pieces, and of pairs of neighbouring ones, over the root of their number.

    A sentence embedding of a small encoder blurs the single word that carries an emotion; a linear model on words alone
    reaches more than a hidden layer on the embedding alone, and both together more than each (benchmarks/README.md).

    Args:
        entries: rows of the table; half for pieces, half for hashed pairs.
        classes: logits.
    """

    def __init__(self, entries: int, classes: int) -> None:
        super().__init__()
        self.rows = entries // 2
        self.table = nn.EmbeddingBag(2 * self.rows, classes, mode="sum")
        nn.init.zeros_(self.table.weight)

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Compute (B, E) logits of (B, T) ids, where `mask_BT` is True."""
        pairs_BT = self.rows + (ids_BT[:, :-1] * _FIRST + ids_BT[:, 1:] * _SECOND) % self.rows
        entries_BN = torch.cat([ids_BT % self.rows, pairs_BT], 1)
        used_BN = torch.cat([mask_BT, mask_BT[:, :-1] & mask_BT[:, 1:]], 1)
        number_B1 = used_BN.sum(1, keepdim=True).clamp(min=1)
        if self.training:
            used_BN = used_BN & (torch.rand(used_BN.shape, device=used_BN.device) >= _DROPOUT)
        weights_BN = used_BN.to(self.table.weight.dtype)
        return self.table(entries_BN, per_sample_weights=weights_BN) / number_B1.sqrt()


@lru_cache(maxsize=1)
def minilm_tokenizer(max_tokens: int) -> Tokenize:
    """Load the word pieces of the bundled MiniLM without its weights."""
    tokenizer = BertTokenizer(minilm_folder())
    return lambda texts: token_ids(tokenizer, texts, max_tokens)
