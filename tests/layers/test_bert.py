"""Our BERT beside transformers' own, on the bundled MiniLM."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from mesm.config import ModelConfig
from mesm.layers.bert import Bert, BertTokenizer
from mesm.layers.text import TextEncoder, minilm_folder

TEXTS = (
    "I never thought they would actually come.",
    "",
    "Ünïcode, CAPITALS & 漢字 — don't!",
    "word " * 80,
)


@pytest.mark.slow
def test_the_same_vectors_and_tokens_as_transformers() -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = minilm_folder()
    theirs, tokens = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    ours, own = Bert.load(folder), BertTokenizer(folder)
    options = {"padding": True, "truncation": True, "max_length": 50, "return_tensors": "pt"}
    wanted, found = tokens(list(TEXTS), **options), own(list(TEXTS), **options)
    assert torch.equal(wanted["input_ids"], found["input_ids"])
    assert torch.equal(wanted["attention_mask"], found["attention_mask"])
    with torch.no_grad():
        expected = theirs(input_ids=found["input_ids"], attention_mask=found["attention_mask"]).last_hidden_state
        got = ours(found["input_ids"], found["attention_mask"]).last_hidden_state
    mask = found["attention_mask"].bool()
    torch.testing.assert_close(got[mask], expected[mask], atol=2e-5, rtol=1e-4)
    assert set(ours.state_dict()) == {k for k in theirs.state_dict() if not k.startswith("pooler.")}
    for text in TEXTS:
        assert own(text)["input_ids"] == tokens(text)["input_ids"]
    words = ["happy", "zzyzx", "don't"]
    assert own(words, add_special_tokens=False)["input_ids"] == tokens(words, add_special_tokens=False)["input_ids"]


def test_a_text_alone_has_the_vector_that_it_has_among_others() -> None:
    encoder = TextEncoder(ModelConfig())
    together = encoder.vectors(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(encoder.vectors([text])[0], vector, atol=1e-4, rtol=1e-4)
    assert encoder.tokenize(["word " * 80])[0].shape == (1, 50) and encoder.count_tokens("word " * 80) == 82


def test_the_default_encoder_loads_without_transformers() -> None:
    """Its import takes longer than everything else that a page needs."""
    code = (
        "import sys; from mesm.config import ModelConfig; from mesm.layers.text import TextEncoder; "
        "TextEncoder(ModelConfig()).vectors(['hello']); sys.exit('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_gradients_reach_the_embeddings() -> None:
    model = Bert.load(minilm_folder())
    model(torch.tensor([[101, 2003, 102]]), torch.ones(1, 3, dtype=torch.long)).last_hidden_state[0, 0, 0].backward()
    names = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    # The embeddings of other token types are not used. A key's bias adds the same to all products of a query.
    keys = {f"encoder.layer.{layer}.attention.self.key.bias" for layer in range(6)}
    assert names - keys == set()
    types = model.embeddings.token_type_embeddings.weight.grad
    assert types is not None and not types[1].any()
