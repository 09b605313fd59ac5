"""Camera, light and gain do not reach the CNN where the config says so."""

import pytest
import torch

from mesm.layers.standardise import remove_level, standardise_crops


def test_crops_keep_their_pattern_only():
    faces = torch.randint(40, 200, (4, 3, 48, 48)).float()
    light = torch.tensor([0.4, 0.8, 0.6]).view(1, 3, 1, 1)
    standard = standardise_crops(faces)
    assert torch.allclose(standardise_crops(faces * light + 10), standard, atol=1e-4)
    assert torch.allclose(standard.mean((2, 3)), torch.zeros(4, 3), atol=1e-5)
    assert torch.allclose(standard.std((2, 3), correction=0), torch.ones(4, 3), atol=1e-4)
    assert not torch.allclose(standardise_crops(faces.flip(3)), standard)


def test_grey_is_the_luma_in_every_channel():
    faces = torch.rand(2, 3, 48, 48) * 255
    grey = standardise_crops(faces, grey=True)
    luma = 0.299 * faces[:, 0] + 0.587 * faces[:, 1] + 0.114 * faces[:, 2]
    want = (luma - luma.mean((1, 2), keepdim=True)) / luma.std((1, 2), correction=0, keepdim=True)
    for channel in range(3):
        assert torch.allclose(grey[:, channel], want, atol=1e-4)


def test_an_even_picture_stays_even():
    assert not standardise_crops(torch.full((1, 3, 48, 48), 90.0)).abs().max()


def test_gain_does_not_count_and_clips_do_not_mix():
    torch.manual_seed(0)
    mels = torch.randn(5, 1, 128, 32) - 2
    counts = torch.tensor([2, 0, 3])
    levelled = remove_level(mels, counts)
    gains = torch.tensor([-1.5, -1.5, 0.7, 0.7, 0.7]).view(5, 1, 1, 1)
    assert torch.allclose(remove_level(mels + gains, counts), levelled, atol=1e-5)
    for clip in (levelled[:2], levelled[2:]):
        assert torch.pow(10.0, clip).mean() == pytest.approx(1, abs=1e-3)
    assert torch.equal(remove_level(mels[:2], torch.tensor([2])), levelled[:2])
    assert levelled.min() >= -5
