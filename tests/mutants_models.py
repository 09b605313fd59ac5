"""One-line faults of the models, layers, sparse engine and costs, each with the fast test that must notice it.

(file, line as it is, line with the fault, tests to run). Lines are without their indentation and occur once in the file.
"""

from __future__ import annotations

_NUCLEUS = "mesm/layers/nucleus.py"
_ATTENTION = "mesm/layers/attention.py"
_SITES = "mesm/sparse/sites.py"
_COST = "mesm/analysis/cost.py"

MUTANTS: list[tuple[str, str, str, str]] = [
    (  # one site fewer
        _NUCLEUS,
        "count_S1 = ((falling_SL.cumsum(1, dtype=torch.float64) - falling_SL) < top_p).sum(1, keepdim=True)",
        "count_S1 = (falling_SL.cumsum(1, dtype=torch.float64) < top_p).sum(1, keepdim=True).clamp(min=1)",
        "tests/layers/test_nucleus.py",
    ),
    (  # one site more
        _NUCLEUS,
        "least_S1 = falling_SL.gather(1, count_S1 - 1)",
        "least_S1 = falling_SL.gather(1, count_S1.clamp(max=falling_SL.shape[1] - 1))",
        "tests/layers/test_nucleus.py",
    ),
    (  # ties are taken from the end of the map
        _NUCLEUS,
        "kept_SL = above_SL | (tied_SL & (tied_SL.cumsum(1) <= room_S1))",
        "kept_SL = above_SL | (tied_SL & (tied_SL.flip(1).cumsum(1).flip(1) <= room_S1))",
        "tests/layers/test_nucleus.py",
    ),
    (  # softmax over all sites instead of the active ones
        _ATTENTION,
        'grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.sites.rows_N, logits_N)',
        "grid = logits_N.new_full((s * h * w,), 0.0).index_copy(0, maps.sites.rows_N, logits_N)",
        "tests/layers/test_attention.py",
    ),
    (  # the query does not reach the hidden layer
        _ATTENTION,
        "shift_SK = shift_SK + 2 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "shift_SK = shift_SK + 0 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "tests/layers/test_attention.py",
    ),
    (  # the bilinear term is not divided by sqrt(C)
        _ATTENTION,
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5",
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps)",
        "tests/layers/test_attention.py",
    ),
    (  # a soft gate without its limit
        _ATTENTION,
        "soft = (chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)).clamp(max=clip)",
        "soft = chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)",
        "tests/layers/test_attention.py",
    ),
    (  # sites left out get no straight-through gradient
        _ATTENTION,
        "return soft + left_out - left_out.detach()",
        "return soft",
        "tests/layers/test_vggs.py",
    ),
    (  # the batch norm's moments count the inactive sites of a map as rows
        "mesm/layers/normalisation.py",
        "count = sums[-1].detach()",
        "count = 2 * sums[-1].detach()",
        "tests/layers/test_normalisation.py",
    ),
    (  # inactive sites keep the bias of a folded dense convolution
        "mesm/layers/sparse_vgg.py",
        "return maps_SCHW if sites.full else maps_SCHW.mul_(sites.mask_SHW[:, None])",
        "return maps_SCHW",
        "tests/layers/test_vggs.py",
    ),
    (  # fusion weights are not renormalised
        "mesm/layers/fusion.py",
        "weights_BM = used_BM * scale_B1",
        "weights_BM = used_BM",
        "tests/models/test_models.py",
    ),
    (  # positions are ignored
        "mesm/layers/transformer.py",
        "x_BLD = x_BLD + self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "x_BLD = x_BLD + 0 * self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "tests/layers/test_sequence.py",
    ),
    (  # the padding mask is inverted
        "mesm/layers/transformer.py",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), ~present_BL], 1)",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), present_BL], 1)",
        "tests/layers/test_sequence.py",
    ),
    (  # pooling drops a site whose right neighbours are inactive
        _SITES,
        "return Sites.of_mask(pairs[:, :, 0::2] | pairs[:, :, 1::2])",
        "return Sites.of_mask(pairs[:, :, 0::2] & pairs[:, :, 1::2])",
        "tests/sparse/test_sites.py",
    ),
    (  # opposite offsets are exchanged
        _SITES,
        "OFFSET_ORDER: tuple[int, ...] = (4, 0, 8, 1, 7, 2, 6, 3, 5)",
        "OFFSET_ORDER: tuple[int, ...] = (4, 8, 0, 1, 7, 2, 6, 3, 5)",
        "tests/sparse",
    ),
    (  # `auto` takes the dearest backend
        "mesm/sparse/backend_costs.py",
        "return min(costs, key=ns)",
        "return max(costs, key=ns)",
        "tests/sparse/test_backends.py",
    ),
    (  # the gradient of the weights gathers the wrong rows
        "mesm/sparse/fused_backend.py",
        "torch.mm(grad.t(), rows, out=grad_9KC[offset])",
        "torch.mm(grad.t(), rows, out=grad_9KC[8 - offset])",
        "tests/sparse/test_backends.py",
    ),
    (  # multiply-adds of the attention are left out
        _COST,
        "macs = active * (channels * width + width)",
        "macs = 0",
        "tests/analysis/test_cost.py",
    ),
    (  # a pair is counted twice as work
        _COST,
        'yield CostEntry(modality, "conv", name, pairs * product, executed)',
        'yield CostEntry(modality, "conv", name, 2 * pairs * product, executed)',
        "tests/analysis/test_cost.py",
    ),
    (  # the second query is the first one
        "mesm/models/base.py",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD[second_query_index_B]))",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD))",
        "tests/models/test_models.py",
    ),
    (  # a clip without a branch still has its scores
        "mesm/models/base.py",
        "logits.append(scores_BE * prepared.present_BM[:, i, None])",
        "logits.append(scores_BE)",
        "tests/models/test_models.py",
    ),
    (  # the first attention is kept although the query is another
        "mesm/models/base.py",
        "if own_query and not torch.is_grad_enabled():",
        "if not torch.is_grad_enabled():",
        "tests/models/test_prepared_again.py",
    ),
    (  # features are not divided by their spread
        "mesm/models/baselines/base.py",
        'rows[modality] = (values_RF - self.get_buffer(f"{modality}_mean")) / self.get_buffer(f"{modality}_std")',
        'rows[modality] = values_RF - self.get_buffer(f"{modality}_mean")',
        "tests/models/test_baselines.py",
    ),
    (  # settings of other models are taken without a word
        "mesm/config/model.py",
        "kept = {key: value for key, value in data.items() if key in own or key not in _FORMER_FIELDS}",
        "kept = {key: value for key, value in data.items() if key in own}",
        "tests/test_config.py",
    ),
]
