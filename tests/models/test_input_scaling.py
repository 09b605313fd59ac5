"""A model whose config takes camera and level away scores a darker or quieter clip alike."""

from dataclasses import replace

import pytest
import torch

from mesm.models import build_model
from tests.models.model_fixtures import random_batch, tiny


@pytest.mark.parametrize("name", ["fe2e", "mesm"])
@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"face_scaling": "grey"}, {"faces": lambda batch: batch.faces.float() * 0.5 + 20}),
        ({"face_scaling": "crop"}, {"faces": lambda batch: batch.faces.float() * 0.5 + 20}),
        ({"mel_level": "removed"}, {"mels": lambda batch: batch.mels - 0.8}),
    ],
)
def test_light_and_gain_do_not_count(name, settings, changes):
    torch.manual_seed(0)
    model, plain = build_model(tiny(name, **settings)).eval(), build_model(tiny(name)).eval()
    with torch.no_grad():  # untrained kernels pass so little on that a rounding error counts beside it
        for weight in model.parameters():
            if weight.ndim == 4:
                weight.mul_(2)
    plain.load_state_dict(model.state_dict())
    batch = random_batch([3, 2], [2, 4])
    batch = replace(batch, faces=batch.faces.float())
    changed = replace(batch, **{key: change(batch) for key, change in changes.items()})
    gap, plain_gap = (
        float((one(changed).logits_BE - one(batch).logits_BE).abs().max().detach()) for one in (model, plain)
    )
    assert plain_gap > 1e-3 and gap < 0.02 * plain_gap
