"""The lexicon counts word pieces and pairs, learns which carry an emotion, and reaches scores through the loaders."""

from __future__ import annotations

import torch

from mesm.config import FE2EConfig
from mesm.layers.lexicon import Lexicon, minilm_tokenizer
from mesm.models import build_model
from mesm.models.base import EmotionModel


def test_logits_are_the_sum_over_pieces_and_pairs_over_the_root_of_their_number() -> None:
    lexicon = Lexicon(64, 2).eval()
    with torch.no_grad():
        lexicon.table.weight.normal_()
    weight = lexicon.table.weight
    ids, mask = torch.tensor([[3, 5, 7, 0]]), torch.tensor([[True, True, True, False]])
    pairs = [32 + (a * 7919 + b * 104_729) % 32 for a, b in ((3, 5), (5, 7))]
    expected = weight[[3, 5, 7, *pairs]].sum(0) / 5**0.5
    assert torch.allclose(lexicon(ids, mask)[0], expected, atol=1e-6)
    longer = torch.cat([ids, torch.zeros(1, 6, dtype=torch.long)], 1), torch.cat([mask, torch.zeros(1, 6).bool()], 1)
    assert torch.allclose(lexicon(*longer)[0], expected, atol=1e-6), "padding counts nothing"


def test_a_word_that_goes_with_an_emotion_is_learned() -> None:
    ids, mask = minilm_tokenizer(50)(["what a wonderful day", "what a terrible day"] * 8)
    lexicon, target = Lexicon(65536, 1), torch.tensor([[1.0], [0.0]]).repeat(8, 1)
    optimiser = torch.optim.Adam(lexicon.parameters(), 0.05)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(lexicon(ids, mask), target).backward()
        optimiser.step()
    fresh = lexicon.eval()(*minilm_tokenizer(50)(["wonderful", "terrible", "Monday"]))[:, 0].detach()
    assert fresh[0] > 0.3 and fresh[1] < -0.3 and abs(float(fresh[2])) < 0.3


def test_a_model_with_a_lexicon_gets_word_pieces_beside_its_vectors() -> None:
    model = build_model(FE2EConfig(modalities=("text",), text_lexicon=1024, width=0.1, text_hidden=8))
    assert isinstance(model, EmotionModel)
    arguments = model.inputs.loader_arguments(lambda: {"a": torch.zeros(384)}, lambda _: None)  # type: ignore[arg-type,return-value]
    assert set(arguments) == {"text_vectors", "tokenize"}
