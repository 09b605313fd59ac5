"""Padding after the end of the sound: found in the mels, left out of the attention, out of every share, hatched."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mesm.batch import MEL_FLOOR, Batch
from mesm.config import MESMConfig
from mesm.data.ingest.audio import mel_chunks
from mesm.layers.padding import column_sites, sound_columns
from mesm.models import build_model
from mesm.records.prediction import LayerTrace
from mesm.training.augment import augment
from mesm.training.broad_augment import broad_augment

CONFIG = MESMConfig(
    width=0.125, text_dim=6, modalities=("text", "acoustic"), mel_scaling="log", padding="masked", head_dim=8,
    transformer_dim=8, transformer_heads=2, transformer_layers=1, transformer_feedforward=8, max_segments=8,
)  # fmt: skip


def batch_of(mels: torch.Tensor, counts: list[int]) -> Batch:
    clips = len(counts)
    return Batch(
        tuple(str(i) for i in range(clips)),
        torch.ones(clips, dtype=torch.bool),
        torch.zeros(0, 3, 48, 48, dtype=torch.uint8),
        torch.zeros(clips, dtype=torch.int64),
        mels,
        torch.tensor(counts),
        text_vectors=torch.randn(clips, 6, generator=torch.Generator().manual_seed(0)),
    )


def sound(samples: int, seed: int = 0) -> torch.Tensor:
    wave = np.random.default_rng(seed).normal(0, 0.1, samples)
    return torch.from_numpy(mel_chunks(wave).astype(np.float32))[:, None]


@given(st.integers(1, 20_000))
def test_sound_ends_where_the_wave_ends(samples):
    mels = sound(samples)
    columns = sound_columns(mels, torch.tensor([len(mels)])).flatten()
    ends = int(columns.sum())
    assert columns[:ends].all()
    # A hop is centred on its sample, and its window of 400 samples reaches beyond the last one by half of it.
    assert samples / 200 <= ends <= min(len(columns), (samples + 200) / 200 + 1)


def test_clips_of_a_batch_each_end_by_themselves_and_a_silent_chunk_stays():
    first, second = sound(7000), sound(9000, 1)
    silent = torch.full((1, 1, 128, 32), -10.0)
    columns = sound_columns(torch.cat([first, silent, second]), torch.tensor([2, 0, 1, 2]))
    assert torch.equal(columns[:2], sound_columns(first, torch.tensor([2])))
    assert columns[2].all()
    assert torch.equal(columns[3:], sound_columns(second, torch.tensor([2])))
    assert not columns[1].all() and not columns[4].all()


def test_a_site_is_there_while_any_of_its_columns_is():
    columns = torch.zeros(1, 32, dtype=torch.bool)
    columns[0, :9] = True
    assert column_sites(columns, 3, 8)[0].tolist() == [[True] * 3 + [False] * 5] * 3


@pytest.mark.parametrize("gradients", [False, True])
def test_masked_padding_gets_no_attention_and_no_computation(gradients):
    mels = sound(7000)
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    with torch.set_grad_enabled(gradients):
        layers = model(batch_of(mels, [2]), 1.0, trace=True).layers["acoustic"]
        kept = build_model(replace(CONFIG, padding="kept"))
        kept.load_state_dict(model.state_dict())
        before = kept.eval()(batch_of(mels, [2]), 1.0, trace=True).layers["acoustic"]
    for layer, old in zip(layers, before, strict=True):
        assert layer.padding_SHW is not None and layer.padding_SHW[1].any() and not layer.padding_SHW[0].any()
        assert not (layer.active_SHW & layer.padding_SHW).any()
        assert not layer.kept_SHW[layer.padding_SHW].any() and not layer.attention_SHW[layer.padding_SHW].any()
        assert torch.allclose(layer.attention_SHW.sum((1, 2)), torch.ones(2))
        assert old.kept_SHW[old.padding_SHW].all()


def test_light_augmentation_leaves_the_padding_as_it_was():
    mels = sound(7000)
    counts = torch.tensor([2])
    changed, _ = augment(batch_of(mels, [2]), torch.Generator().manual_seed(0))
    columns = sound_columns(mels, counts)
    assert torch.equal(sound_columns(changed.mels, counts), columns)
    assert not torch.equal(changed.mels, mels)


def test_padding_follows_the_sound_when_the_tempo_changes():
    mels = sound(40 * 200)
    hops = int(sound_columns(mels, torch.tensor([2])).sum())
    found = set()
    for seed in range(40):
        changed, _ = broad_augment(batch_of(mels, [2]), torch.Generator().manual_seed(seed))
        columns = sound_columns(changed.mels, changed.chunk_counts)
        found.add(now := int(columns.sum()))
        assert 0.86 * hops - 1 <= now <= 1.17 * hops + 1 and len(changed.mels) == -(-now // 32)
        assert (changed.mels[:, 0].permute(0, 2, 1)[~columns] == math.log10(MEL_FLOOR)).all()
        assert columns.flatten()[:now].all(), "sound comes first"
    assert max(found) - min(found) > 0.15 * hops


def test_shares_leave_padding_out():
    kept = np.array([[[True, False, True, True]]])
    layer = LayerTrace(kept / 3, kept, np.ones_like(kept), padding=np.array([[[False, False, False, True]]]))
    assert layer.counts == (2, 3) and layer.share == pytest.approx(2 / 3)
    assert replace(layer, padding=None).counts == (3, 4)
