"""Compute BERT's encoder in plain torch (Devlin et al. 2019), for the MiniLM that is the default text encoder.

The same weights under the same names as transformers' `BertModel`, so that either reads what the other wrote; a test
compares their outputs. It stays beside transformers for the start-up time of a page or a command: importing transformers
and loading MiniLM with it takes 10.0 to 11.6 s of processor time (torch included), this file 3.8 to 4.0 s (two cores,
three processes each, 2026-11-29).

Shape legend: B texts, T tokens of the longest, N tokens of all, D width, H heads. Only the attention computes on padded
texts; all else takes the N tokens: a batch of sentences of many lengths takes .6 of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.json_form import from_json, members, read_json


@dataclass(frozen=True)
class BertShape:
    """Hold the shape of a BERT, as its config.json names it."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float


@dataclass(frozen=True)
class BertOutput:
    """Hold the output in the form of transformers: (B, T, D), zero where there is no token."""

    last_hidden_state: Tensor


class _Linear(nn.Linear):
    """Leave the weights unset, to be loaded: drawing random ones first takes longer than to read the file."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


class _Embedding(nn.Embedding):
    """Leave the weights unset, to be loaded."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


class _Places:
    """Move tokens between (N, D) and (B, T, D), where padded places are zero."""

    def __init__(self, mask_BT: Tensor) -> None:
        self.mask_BT = mask_BT
        self.rows_N = mask_BT.flatten().nonzero()[:, 0]

    def pad(self, tokens_ND: Tensor) -> Tensor:
        padded = tokens_ND.new_zeros(self.mask_BT.numel(), tokens_ND.shape[1])
        return padded.index_copy(0, self.rows_N, tokens_ND).unflatten(0, tuple(self.mask_BT.shape))

    def pack(self, padded_BTD: Tensor) -> Tensor:
        return padded_BTD.flatten(0, 1)[self.rows_N]


class _Embeddings(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.word_embeddings = _Embedding(shape.vocab_size, shape.hidden_size, padding_idx=0)
        self.position_embeddings = _Embedding(shape.max_position_embeddings, shape.hidden_size)
        self.token_type_embeddings = _Embedding(shape.type_vocab_size, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.hidden_dropout_prob)

    def forward(self, ids_BT: Tensor, places: _Places) -> Tensor:
        ids_N, positions_N = ids_BT.flatten()[places.rows_N], places.rows_N % ids_BT.shape[1]
        whole_ND = self.word_embeddings(ids_N) + self.position_embeddings(positions_N)
        return self.dropout(self.LayerNorm(whole_ND + self.token_type_embeddings.weight[0]))


class _Added(nn.Module):
    """Linear, dropout, the input added, layer norm."""

    def __init__(self, inner: int, shape: BertShape) -> None:
        super().__init__()
        self.dense = _Linear(inner, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.hidden_dropout_prob)

    def forward(self, inner: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(inner)) + before)


class _SelfAttention(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.heads, self.drop = shape.num_attention_heads, shape.attention_probs_dropout_prob
        width = shape.hidden_size
        self.query, self.key, self.value = _Linear(width, width), _Linear(width, width), _Linear(width, width)

    def forward(self, hidden_ND: Tensor, places: _Places) -> Tensor:
        query, key, value = (
            places.pad(layer(hidden_ND)).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        drop = self.drop if self.training else 0.0
        mask_B11T = places.mask_BT[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask_B11T, dropout_p=drop)
        return places.pack(mixed.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    """Attention and a feed-forward part, each added to its input."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": _SelfAttention(shape), "output": _Added(shape.hidden_size, shape)})
        self.intermediate = nn.ModuleDict({"dense": _Linear(shape.hidden_size, shape.intermediate_size)})
        self.output = _Added(shape.intermediate_size, shape)

    def forward(self, hidden_ND: Tensor, places: _Places) -> Tensor:
        attended = self.attention["output"](self.attention["self"](hidden_ND, places), hidden_ND)
        return self.output(F.gelu(self.intermediate["dense"](attended)), attended)


class Bert(nn.Module):
    """Encode token ids with BERT's encoder, without a pooler."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.config = shape
        self.embeddings = _Embeddings(shape)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(shape) for _ in range(shape.num_hidden_layers))})

    @classmethod
    def load(cls, folder: Path) -> Bert:
        """Load a folder with config.json and model.safetensors.

        Raises:
            OSError: a file is missing.
            ValueError: the weights are not those of the shape.
        """
        from safetensors.torch import load_file

        known = members(read_json(folder / "config.json"))
        shape = from_json(BertShape, {name: known[name] for name in BertShape.__dataclass_fields__ if name in known})
        model = cls(shape)
        weights = load_file(folder / "model.safetensors")
        names = model.state_dict().keys()
        try:
            model.load_state_dict({k: v.float() for k, v in weights.items() if k in names}, assign=True)
        except RuntimeError as error:
            raise ValueError(f"{folder} does not hold the weights that its config.json names") from error
        return model.eval()

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embedding of word pieces, one row each."""
        return self.embeddings.word_embeddings

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BertOutput:
        """Encode (B, T) ids with a (B, T) mask, 0 where there is no token."""
        places = _Places(attention_mask.bool())
        hidden_ND = self.embeddings(input_ids, places)
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            hidden_ND = layer(hidden_ND, places)
        return BertOutput(places.pad(hidden_ND))


class BertTokenizer:
    """Load the tokenizer.json of a folder, with the interface of transformers' tokenizers."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = _read_tokenizer(folder / "tokenizer.json")
        self._end = self._tokenizer.encode("").ids[-1]
        self.unk_token_id = self._tokenizer.token_to_id("[UNK]")

    def __call__(
        self,
        texts: str | Sequence[str],
        *,
        padding: bool = False,
        truncation: bool = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        return_tensors: str | None = None,
    ) -> Any:
        """Return ids and mask of one text or of several; longer ones are cut before their end mark."""
        rows = [texts] if isinstance(texts, str) else list(texts)
        ids = [one.ids for one in self._tokenizer.encode_batch(rows, add_special_tokens=add_special_tokens)]
        if truncation and max_length is not None:
            ids = [row if len(row) <= max_length else [*row[: max_length - 1], self._end] for row in ids]
        if isinstance(texts, str):
            return {"input_ids": ids[0]}
        if return_tensors is None:
            return {"input_ids": ids}
        longest = max(map(len, ids), default=0)
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
        return {"input_ids": padded, "attention_mask": mask}


@cache
def _read_tokenizer(file: Path) -> Any:
    """Read a tokenizer without truncation and padding; once, for it takes as long as MiniLM's weights do."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
