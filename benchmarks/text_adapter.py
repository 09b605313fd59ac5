"""Train low-rank updates of MiniLM's last layers under a shipped words branch: `python -m benchmarks.text_adapter`.

LoRA (Hu et al. 2022, doi:10.48550/arXiv.2106.09685): to each linear map of the last layers the product of two thin
matrices is added, and nothing else is trained; the words branch (hidden layer and lexicon) stays as the checkpoint has it.
Prints the AUC of each emotion on the validation and the test split, before and after each epoch, and the cosine between
the old and the new sentence vectors. An answer to one question: what does a frozen text encoder cost in score? The
result is not part of a checkpoint.

    --corpus corpora/goemotions     a corpus with words, as `mesm corpus import sentences` stores it
    --sentences 2000 --epochs 1     a quick try
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import conditions, write_measured
from mesm.config import EndToEndConfig
from mesm.data.corpora import open_corpus
from mesm.data.store import Corpus
from mesm.layers.bert import Bert
from mesm.layers.text import TextEncoder
from mesm.models import load_checkpoint
from mesm.models.encoders import TextBranch
from mesm.runtime import assets
from mesm.training.metrics import auc
from mesm.training.objectives.label_loss import positive_weights

_BATCH, _SMOOTHING, _WEIGHT_DECAY, _CLIP_NORM = 64, 0.05, 0.01, 2.0
#: Scale of the update, as the usual quotient of LoRA's alpha and rank.
_SCALE = 2.0


class LowRankUpdate(nn.Module):
    """Add a trainable product of two thin matrices to a frozen linear map; at first it is zero."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        updated: Tensor = self.base(inputs) + _SCALE * F.linear(F.linear(inputs, self.down), self.up)
        return updated


def adapt(bert: Bert, layers: int, rank: int) -> list[nn.Parameter]:
    """Freeze a BERT, give the linear maps of its last layers low-rank updates, and return their parameters."""
    bert.requires_grad_(False)
    stack = bert.encoder["layer"]
    assert isinstance(stack, nn.ModuleList)
    for layer in stack[len(stack) - layers :]:
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, LowRankUpdate(child, rank))
    return [parameter for parameter in bert.parameters() if parameter.requires_grad]


class Sentences:
    """Hold one split's texts and truths, in batches of like length."""

    def __init__(self, corpus: Corpus, split: str, labels: Sequence[str], limit: int) -> None:
        present = {row.clip_id: row.present for row in corpus.index}
        samples = list(corpus.iterate(split, full=False))[: limit or None]
        self.texts = [sample.text for sample in samples]
        self.truth_NE = torch.tensor([[float(e in present[s.clip_id]) for e in labels] for s in samples])

    def batches(self, draw: np.random.Generator | None = None) -> Iterator[np.ndarray]:
        """Yield the rows of each batch; shuffled with a generator, where runs of 50 batches are sorted by length."""
        rows = np.arange(len(self.texts)) if draw is None else draw.permutation(len(self.texts))
        parts = []
        for start in range(0, len(rows), 50 * _BATCH):
            run = sorted(rows[start : start + 50 * _BATCH], key=lambda row: len(self.texts[row]))
            parts += [np.array(run[i : i + _BATCH]) for i in range(0, len(run), _BATCH)]
        order = range(len(parts)) if draw is None else draw.permutation(len(parts))
        return (parts[i] for i in order)


def score(encoder: TextEncoder, branch: TextBranch, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Compute the (B, E) logits and the (B, D) vectors of B texts."""
    tokens = encoder.tokenize(texts)
    vectors_BD = encoder(*tokens)
    return branch(vectors_BD, tokens)[0], vectors_BD


@torch.no_grad()
def evaluate(encoder: TextEncoder, branch: TextBranch, part: Sentences) -> tuple[list[float], Tensor]:
    """Compute the AUC of each emotion, and all vectors."""
    encoder.eval()
    logits_NE = torch.empty_like(part.truth_NE)
    vectors_ND = torch.empty(len(part.texts), encoder.dim)
    for rows in part.batches():
        logits_NE[rows], vectors_ND[rows] = score(encoder, branch, [part.texts[row] for row in rows])
    percent_E = auc(logits_NE.numpy(), part.truth_NE.numpy())
    return (percent_E / 100).round(4).tolist(), vectors_ND


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train the updates, print the figures and return them."""
    torch.manual_seed(arguments.seed)
    draw = np.random.default_rng(arguments.seed)
    model = load_checkpoint(assets() / "checkpoints" / arguments.checkpoint).model
    branch, config = model.branches["text"], model.config
    assert isinstance(branch, TextBranch) and isinstance(config, EndToEndConfig)
    branch.requires_grad_(False)
    encoder, corpus = TextEncoder(config), open_corpus(arguments.corpus)
    parameters = adapt(encoder.encoder, arguments.layers, arguments.rank)
    parts = {name: Sentences(corpus, name, config.labels, arguments.sentences) for name in ("train", "valid", "test")}
    fitted = parts["train"]
    optimizer = torch.optim.AdamW(parameters, lr=arguments.lr, weight_decay=_WEIGHT_DECAY)
    steps = arguments.epochs * math.ceil(len(fitted.texts) / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=steps, pct_start=0.1)
    weights_E = positive_weights(fitted.truth_NE)
    before_ND = evaluate(encoder, branch, parts["test"])[1]
    history: list[dict[str, Any]] = []

    def report(epoch: int, seconds: float) -> None:
        scores = {name: evaluate(encoder, branch, parts[name]) for name in ("valid", "test")}
        row = {"epoch": epoch, "seconds": round(seconds, 1)}
        row |= {name: round(float(np.mean(values)), 4) for name, (values, _) in scores.items()}
        row["test_emotions"] = scores["test"][0]
        row["cosine"] = round(float(F.cosine_similarity(scores["test"][1], before_ND).mean()), 3)
        history.append(row)
        print(row, flush=True)

    report(0, 0.0)
    for epoch in range(1, arguments.epochs + 1):
        start = time.perf_counter()
        encoder.train()
        for rows in fitted.batches(draw):
            target_BE = fitted.truth_NE[rows] * (1 - _SMOOTHING) + _SMOOTHING / 2
            logits_BE, _ = score(encoder, branch, [fitted.texts[row] for row in rows])
            loss = F.binary_cross_entropy_with_logits(logits_BE, target_BE, pos_weight=weights_E)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
            optimizer.step()
            schedule.step()
        report(epoch, time.perf_counter() - start)
    trained = sum(parameter.numel() for parameter in parameters)
    return {"conditions": conditions(), "labels": list(config.labels), "parameters": trained, "epochs": history}


def main(words: Sequence[str] | None = None) -> None:
    """Print the figures, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="folder or name of a corpus with words")
    parser.add_argument("--checkpoint", default="people-fe2e", help="name of a shipped checkpoint")
    parser.add_argument("--layers", type=int, default=3, help="last layers that are adapted")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", type=int, default=0, help="of each split, at most; 0 for all")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args(words)
    write_measured(train(arguments), arguments.json)


if __name__ == "__main__":
    main()
