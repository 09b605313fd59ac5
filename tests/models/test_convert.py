"""The authors' weights give the authors' scores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mesm.batch import Batch, FeatureRows
from mesm.cli import main
from mesm.errors import CheckpointError, ConfigError
from mesm.models import load_checkpoint
from mesm.models.convert import convert, read_state
from mesm.vocabulary import CORPUS_LABELS
from tests.models.model_fixtures import random_batch
from tests.models.theirs import MME2E, LateFusion, MME2ESparse

LABELS = CORPUS_LABELS["iemocap"]


@pytest.fixture(scope="module")
def albert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ALBERT with random weights and a tokeniser of ten words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AlbertConfig, AlbertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("albert")
    torch.manual_seed(5)
    config = AlbertConfig(
        vocab_size=12, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=128,
    )  # fmt: skip
    AlbertModel(config).save_pretrained(folder)
    words = {w: i for i, w in enumerate(["<pad>", "<unk>", "[CLS]", "[SEP]", "so", "glad", "you", "came"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return folder


def their_albert(folder: Path) -> torch.nn.Module:
    from transformers import AlbertModel

    return AlbertModel.from_pretrained(folder, attn_implementation="eager").eval()


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Statistics of batch norms away from 0 and 1, small variances included, where eps counts."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(0.3 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(1e-3 + torch.rand(module.num_features, generator=generator))
            module.weight.data.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return model.eval()


def converted(theirs: torch.nn.Module, albert: Path, tmp_path: Path, *more: str) -> torch.nn.Module:
    torch.save({"state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}}, tmp_path / "theirs.pt")
    out = tmp_path / "ours"
    assert main(["convert", str(tmp_path / "theirs.pt"), str(out), "--text-source", str(albert), *more]) == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.config.labels == LABELS and checkpoint.card
    return checkpoint.model


def with_tokens(batch: Batch, model: torch.nn.Module) -> tuple[Batch, tuple]:
    """The batch for ours, and the same values as theirs takes them."""
    from dataclasses import replace

    texts = ["so glad you came", "you", "came so glad"][: len(batch)]
    ids, mask = model.text_encoder.tokenize(texts)  # type: ignore[operator,union-attr]
    # Powers near 0.01: larger ones drive the attention's tanh to 1, where sites tie and either may be kept.
    batch = replace(batch, mels=batch.mels / 8 - 2)
    ours = replace(batch, token_ids=ids, token_mask=mask)
    power = torch.pow(10.0, batch.mels)
    return ours, (ids, mask.long(), batch.faces.float(), batch.face_counts.tolist(), power, batch.chunk_counts.tolist())


def test_fe2e_scores_are_theirs(albert: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = shaken(MME2E(their_albert(albert)))
    ours = converted(theirs, albert, tmp_path)
    batch, arguments = with_tokens(random_batch([2, 1, 3], [1, 3, 2]), ours)
    with torch.no_grad():
        torch.testing.assert_close(
            torch.sigmoid(ours(batch).logits_BE), torch.sigmoid(theirs(*arguments)), atol=1e-4, rtol=0
        )
    assert ours.config.max_segments == 4096, "theirs have no limit"


@pytest.mark.parametrize("top_p", [0.3, 0.7])
def test_mesm_scores_are_theirs_for_one_frame_and_one_chunk(albert: Path, tmp_path: Path, top_p: float) -> None:
    torch.manual_seed(1)
    theirs = shaken(MME2ESparse(their_albert(albert), top_p))
    ours = converted(theirs, albert, tmp_path, "--top-p", str(top_p))
    assert ours.config.gate == "hard" and ours.config.attention_width == (64, 128, 256)  # type: ignore[union-attr]
    for seed in range(3):
        batch, arguments = with_tokens(random_batch([1], [1], seed), ours)
        with torch.no_grad():
            found, wanted = torch.sigmoid(ours(batch).logits_BE), torch.sigmoid(theirs(*arguments))
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
            assert not torch.allclose(torch.sigmoid(ours(batch, 1.0).logits_BE), wanted, atol=1e-4), "p must matter"


@pytest.mark.parametrize("kind", ["rnns", "transformers"])
def test_baselines_scores_are_theirs(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    theirs = LateFusion(kind, {"t": 8, "v": 5, "a": 6}).eval()
    ours = converted(theirs, tmp_path, tmp_path)
    rows = {"t": torch.randn(4, 8), "v": torch.randn(3, 5), "a": torch.randn(7, 6)}
    names = {"t": "text", "v": "visual", "a": "acoustic"}
    features = FeatureRows(
        {names[m]: r for m, r in rows.items()}, {names[m]: torch.tensor([len(r)]) for m, r in rows.items()}
    )
    from dataclasses import replace

    with torch.no_grad():
        found = ours(replace(random_batch([1], [1]), features=features)).logits_BE
        torch.testing.assert_close(found, theirs(rows), atol=1e-5, rtol=1e-4)


def test_what_is_not_theirs_is_refused(albert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="names are not those"):
        convert(read_state(tmp_path / "other.pt"), LABELS)
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match="plain tensors"):
        read_state(tmp_path / "whole.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="no state dict"):
        read_state(tmp_path / "list.pt")
    state = MME2E(their_albert(albert)).state_dict()
    with pytest.raises(ConfigError, match="score 6 emotions and 2 labels"):
        convert(state, ("anger", "fear"), text_source="x")
    with pytest.raises(ConfigError, match="fuse 3 modalities, not 2"):
        convert(state, LABELS, ("text", "visual"), text_source="x")
    with pytest.raises(ConfigError, match="16 wide"):
        convert(state, LABELS)
    del state["V.6.bn1.weight"]
    with pytest.raises(CheckpointError, match=r"lacks 'V\.6\.bn1\.weight'"):
        convert(state, LABELS, text_source="x")
    assert main(["convert", str(tmp_path / "none.pt"), str(tmp_path / "o")]) == 2
    assert "plain tensors" in capsys.readouterr().err
