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
        "tests/layers/test_nucleus.py::test_smallest_prefix_that_reaches_the_mass",
    ),
    (  # one site more
        _NUCLEUS,
        "least_S1 = falling_SL.gather(1, count_S1 - 1)",
        "least_S1 = falling_SL.gather(1, count_S1.clamp(max=falling_SL.shape[1] - 1))",
        "tests/layers/test_nucleus.py::test_smallest_prefix_that_reaches_the_mass",
    ),
    (  # ties are taken from the end of the map
        _NUCLEUS,
        "kept_SL = above_SL | (tied_SL & (tied_SL.cumsum(1) <= room_S1))",
        "kept_SL = above_SL | (tied_SL & (tied_SL.flip(1).cumsum(1).flip(1) <= room_S1))",
        "tests/layers/test_nucleus.py::test_equal_masses_are_taken_in_reading_order",
    ),
    (  # softmax over all sites instead of the active ones
        _ATTENTION,
        'grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.sites.rows_N, logits_N)',
        "grid = logits_N.new_full((s * h * w,), 0.0).index_copy(0, maps.sites.rows_N, logits_N)",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    (  # the query does not reach the hidden layer
        _ATTENTION,
        "shift_SK = shift_SK + 2 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "shift_SK = shift_SK + 0 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    (  # the bilinear term is not divided by sqrt(C)
        _ATTENTION,
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5",
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps)",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    (  # a soft gate without its limit
        _ATTENTION,
        "soft = (chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)).clamp(max=clip)",
        "soft = chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)",
        "tests/layers/test_attention.py::test_gates_in_value_and_gradient",
    ),
    (  # sites left out get no straight-through gradient
        _ATTENTION,
        "return soft + left_out - left_out.detach()",
        "return soft",
        "tests/layers/test_attention.py::test_gates_in_value_and_gradient",
    ),
    (  # the batch norm's moments count the inactive sites of a map as rows
        "mesm/layers/normalisation.py",
        "count = sums[-1].detach()",
        "count = 2 * sums[-1].detach()",
        "tests/layers/test_normalisation.py::test_moments_equal_torchs_statistics",
    ),
    (  # inactive sites keep the bias of a folded dense convolution
        "mesm/layers/sparse_vgg.py",
        "return maps_SCHW if sites.full else maps_SCHW.mul_(sites.mask_SHW[:, None])",
        "return maps_SCHW",
        "tests/layers/test_vggs.py::test_the_sparse_stack_is_the_masked_dense_one",
    ),
    (  # fusion weights are not renormalised
        "mesm/layers/fusion.py",
        "weights_BM = used_BM * scale_B1",
        "weights_BM = used_BM",
        "tests/layers/test_sequence.py::test_fusion_by_hand",
    ),
    (  # positions are ignored
        "mesm/layers/transformer.py",
        "x_BLD = x_BLD + self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "x_BLD = x_BLD + 0 * self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "tests/layers/test_sequence.py::test_order_matters_only_with_positions",
    ),
    (  # the padding mask is inverted
        "mesm/layers/transformer.py",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), ~present_BL], 1)",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), present_BL], 1)",
        "tests/layers/test_sequence.py::test_a_longer_padding_changes_nothing",
    ),
    (  # pooling drops a site whose right neighbours are inactive
        _SITES,
        "return Sites.of_mask(pairs[:, :, 0::2] | pairs[:, :, 1::2])",
        "return Sites.of_mask(pairs[:, :, 0::2] & pairs[:, :, 1::2])",
        "tests/sparse/test_sites.py::test_torch_pools_as_the_compiled_loop_does",
    ),
    (  # a pair's source lies on the other side of its destination
        _SITES,
        "STEPS: tuple[tuple[int, int], ...] = tuple(KERNEL_OFFSETS[k] for k in OFFSET_ORDER)",
        "STEPS: tuple[tuple[int, int], ...] = tuple(KERNEL_OFFSETS[8 - k] for k in OFFSET_ORDER)",
        "tests/sparse/test_backends.py::test_backends_equal_the_definition",
    ),
    (  # `auto` takes the dearest backend
        "mesm/sparse/backend_costs.py",
        "return min(costs, key=ns)",
        "return max(costs, key=ns)",
        "tests/sparse/test_backends.py::test_auto_takes_the_fused_pass_where_little_is_active_and_the_dense_one_on_full_maps",
    ),
    (  # the gradient of the weights gathers the wrong rows
        "mesm/sparse/fused_backend.py",
        "torch.mm(grad.t(), rows, out=grad_9KC[offset])",
        "torch.mm(grad.t(), rows, out=grad_9KC[8 - offset])",
        "tests/sparse/test_backends.py::test_backends_equal_the_definition",
    ),
    (  # multiply-adds of the attention are left out
        _COST,
        "macs = active * (channels * width + width)",
        "macs = 0",
        "tests/analysis/test_cost.py::test_conv_stages_equal_fvcores_count_exactly",
    ),
    (  # a pair is counted twice as work
        _COST,
        'yield CostEntry(modality, "conv", name, pairs * product, executed)',
        'yield CostEntry(modality, "conv", name, 2 * pairs * product, executed)',
        "tests/analysis/test_cost.py::test_conv_stages_equal_fvcores_count_exactly",
    ),
    (  # the second query is the first one
        "mesm/models/base.py",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD[second_query_index_B]))",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD))",
        "tests/models/test_models.py::test_the_query_index_is_the_text_that_queries",
    ),
    (  # a clip without a branch still has its scores
        "mesm/models/base.py",
        "logits.append(scores_BE * prepared.present_BM[:, i, None])",
        "logits.append(scores_BE)",
        "tests/models/test_models.py::test_a_missing_face_or_voice_drops_the_branch",
    ),
    (  # the first attention is kept although the query is another
        "mesm/models/base.py",
        "if own_query and not torch.is_grad_enabled():",
        "if not torch.is_grad_enabled():",
        "tests/models/test_prepared_again.py::test_other_weights_texts_and_choices_are_asked_anew",
    ),
    (  # features are not divided by their spread
        "mesm/models/baselines/base.py",
        'rows[modality] = (values_RF - self.get_buffer(f"{modality}_mean")) / self.get_buffer(f"{modality}_std")',
        'rows[modality] = values_RF - self.get_buffer(f"{modality}_mean")',
        "tests/models/test_baselines.py::test_statistics_take_the_units_away",
    ),
    (  # settings of other models are taken without a word
        "mesm/config/model.py",
        "kept = {key: value for key, value in data.items() if key in own or key not in _FORMER_FIELDS}",
        "kept = {key: value for key, value in data.items() if key in own}",
        "tests/test_config.py::test_shipped_configs_of_the_one_class_for_all_models_load",
    ),
]
