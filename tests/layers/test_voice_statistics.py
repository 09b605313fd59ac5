"""Statistics of the voice: known values, no level, no silence, and none for a clip without sound."""

from __future__ import annotations

import torch

from mesm.layers.voice_statistics import COLUMNS, VoiceStatistics, voice_statistics


def test_values_of_a_known_voice() -> None:
    hops = torch.full((1, 1, 128, 32), -9.0)
    hops[..., 8:24:2], hops[..., 9:24:2] = -1.0, -2.0
    row = voice_statistics(hops, torch.tensor([1]))[0]
    level = torch.log10(torch.tensor((8 * 0.1 + 8 * 0.01) / 32))
    assert torch.allclose(row[:128], -1.5 - level.expand(128), atol=1e-4)
    assert torch.allclose(row[128:256], torch.full((128,), 0.5), atol=1e-4)
    assert torch.allclose(row[256:384], torch.ones(128), atol=1e-4)
    assert torch.allclose(row[448:450], torch.tensor([0.2, 0.5]))
    # All bands change together: only the first cepstral coefficient does.
    spread = row[450 : 450 + 24]
    assert abs(float(spread[0]) - 0.5 * 128 * (2 / 128) ** 0.5) < 1e-3 and float(spread[1:].abs().max()) < 1e-4


def test_the_contour_has_what_rises_and_the_modulation_its_rate() -> None:
    time_s = torch.arange(320) / 80
    hops = -3 + 0.2 * time_s + 0.5 * torch.sin(2 * torch.pi * 4 * time_s)
    mels = hops.view(10, 1, 1, 32).expand(-1, 1, 128, -1)
    row = voice_statistics(mels, torch.tensor([10]))[0]
    quarters = row[598:602]
    assert torch.allclose(quarters, 0.2 * torch.tensor([-1.5, -0.5, 0.5, 1.5]), atol=0.02)
    assert torch.allclose(row[602:650].view(3, 16)[2], torch.full((16,), 0.2 * 4 / 3), atol=0.03)
    modulation = row[650:].view(6, 16)
    assert (modulation.argmax(0) == 2).all()


def test_a_gain_changes_nothing_and_clips_are_apart() -> None:
    mels = torch.randn(5, 1, 128, 32, generator=torch.Generator().manual_seed(0)) - 3
    counts = torch.tensor([2, 0, 3])
    rows = voice_statistics(mels, counts)
    assert rows.shape == (3, COLUMNS) and float(rows[1].abs().sum()) == 0
    assert torch.allclose(rows, voice_statistics(mels + 1.5, counts), atol=1e-4)
    assert torch.allclose(rows[2], voice_statistics(mels[2:], torch.tensor([3]))[0], atol=1e-5)


def test_one_clip_in_training_is_scaled_as_in_inference() -> None:
    head = VoiceStatistics(6, 0.0)
    with torch.no_grad():
        head.linear.weight.normal_()
    row = torch.randn(1, COLUMNS)
    assert torch.allclose(head.train()(row), head.eval()(row), atol=1e-5)


def test_a_hidden_layer_lies_before_the_score() -> None:
    torch.manual_seed(0)
    linear, shallow = VoiceStatistics(6, 0.0).eval(), VoiceStatistics(6, 0.0, hidden=8).eval()
    rows = torch.randn(2, 5, COLUMNS)
    for head in (linear, shallow):
        torch.nn.init.normal_(head.linear.weight)
    sums = [head(rows[0]) + head(rows[1]) - 2 * head((rows[0] + rows[1]) / 2) for head in (linear, shallow)]
    assert float(sums[0].detach().abs().max()) < 1e-3 < float(sums[1].detach().abs().max()), "only the second bends"
