"""One-line faults in the models, the layers, the sparse engine and the costs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    # One site fewer.
    Mutant(
        "mesm/layers/nucleus.py",
        "count_S1 = ((falling_SL.cumsum(1, dtype=torch.float64) - falling_SL) < top_p).sum(1, keepdim=True)",
        "count_S1 = (falling_SL.cumsum(1, dtype=torch.float64) < top_p).sum(1, keepdim=True).clamp(min=1)",
        "tests/layers/test_nucleus.py::test_smallest_prefix_that_reaches_the_mass",
    ),
    # One site more.
    Mutant(
        "mesm/layers/nucleus.py",
        "count_S1 = ((falling_SL.cumsum(1, dtype=torch.float64) - falling_SL) < top_p).sum(1, keepdim=True)",
        "count_S1 = ((falling_SL.cumsum(1, dtype=torch.float64) - falling_SL) < top_p).sum(1, keepdim=True).add(1)",
        "tests/layers/test_nucleus.py::test_smallest_prefix_that_reaches_the_mass",
    ),
    # Ties are taken from the end of the map.
    Mutant(
        "mesm/layers/nucleus.py",
        "kept_SL = above_SL | (tied_SL & (tied_SL.cumsum(1) <= room_S1))",
        "kept_SL = above_SL | (tied_SL & (tied_SL.flip(1).cumsum(1).flip(1) <= room_S1))",
        "tests/layers/test_nucleus.py::test_equal_masses_are_taken_in_reading_order",
    ),
    # Softmax over all sites instead of the active ones.
    Mutant(
        "mesm/layers/attention.py",
        'grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.sites.rows_N, logits_N)',
        "grid = logits_N.new_full((s * h * w,), 0.0).index_copy(0, maps.sites.rows_N, logits_N)",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    # The query does not reach the hidden layer.
    Mutant(
        "mesm/layers/attention.py",
        "shift_SK = shift_SK + 2 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "shift_SK = shift_SK + 0 * F.linear(query_SD, self.query_projection.weight.to(dtype))",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    # The bilinear term is not divided by sqrt(C).
    Mutant(
        "mesm/layers/attention.py",
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5",
        "scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps)",
        "tests/layers/test_attention.py::test_the_equation_on_dense_maps",
    ),
    # A soft gate without its limit.
    Mutant(
        "mesm/layers/attention.py",
        "soft = (chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)).clamp(max=clip)",
        "soft = chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)",
        "tests/layers/test_attention.py::test_gates_in_value_and_gradient",
    ),
    # Sites left out get no straight-through gradient.
    Mutant(
        "mesm/layers/attention.py",
        "return soft + left_out - left_out.detach()",
        "return soft",
        "tests/layers/test_attention.py::test_gates_in_value_and_gradient",
    ),
    # The batch norm's moments count the inactive sites of a map as rows.
    Mutant(
        "mesm/layers/normalisation.py",
        "count = sums[-1].detach()",
        "count = 2 * sums[-1].detach()",
        "tests/layers/test_normalisation.py::test_moments_equal_torchs_statistics",
    ),
    # Inactive sites keep the bias of a folded dense convolution.
    Mutant(
        "mesm/layers/sparse_vgg.py",
        "return maps_SCHW if sites.full else maps_SCHW.mul_(sites.mask_SHW[:, None])",
        "return maps_SCHW",
        "tests/layers/test_vggs.py::test_the_sparse_stack_is_the_masked_dense_one",
    ),
    # Fusion weights are not renormalised.
    Mutant(
        "mesm/layers/fusion.py",
        "weights_BM = used_BM * scale_B1",
        "weights_BM = used_BM",
        "tests/layers/test_sequence.py::test_fusion_by_hand",
    ),
    # Positions are ignored.
    Mutant(
        "mesm/layers/transformer.py",
        "x_BLD = x_BLD + self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "x_BLD = x_BLD + 0 * self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)",
        "tests/layers/test_sequence.py::test_order_matters_only_with_positions",
    ),
    # The padding mask is inverted.
    Mutant(
        "mesm/layers/transformer.py",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), ~present_BL], 1)",
        "padding_BL = torch.cat([present_BL.new_zeros(batch, 1), present_BL], 1)",
        "tests/layers/test_sequence.py::test_a_longer_padding_changes_nothing",
    ),
    # Pooling drops a site whose right neighbours are inactive.
    Mutant(
        "mesm/sparse/sites.py",
        "return Sites.of_mask(pairs[:, :, 0::2] | pairs[:, :, 1::2])",
        "return Sites.of_mask(pairs[:, :, 0::2] & pairs[:, :, 1::2])",
        "tests/sparse/test_sites.py::test_torch_pools_as_the_compiled_loop_does",
    ),
    # A pair's source lies on the other side of its destination.
    Mutant(
        "mesm/sparse/sites.py",
        "STEPS: tuple[tuple[int, int], ...] = tuple(KERNEL_OFFSETS[k] for k in OFFSET_ORDER)",
        "STEPS: tuple[tuple[int, int], ...] = tuple(KERNEL_OFFSETS[8 - k] for k in OFFSET_ORDER)",
        "tests/sparse/test_backends.py::test_backends_equal_the_definition",
    ),
    # `auto` takes the dearest backend.
    Mutant(
        "mesm/sparse/backend_costs.py",
        "return min(costs, key=ns)",
        "return max(costs, key=ns)",
        "tests/sparse/test_backends.py::test_auto_takes_the_fused_pass_where_little_is_active_and_the_dense_one_on_full_maps",
    ),
    # The gradient of the weights gathers the wrong rows.
    Mutant(
        "mesm/sparse/fused_backend.py",
        "torch.mm(grad.t(), rows, out=grad_9KC[offset])",
        "torch.mm(grad.t(), rows, out=grad_9KC[8 - offset])",
        "tests/sparse/test_backends.py::test_backends_equal_the_definition",
    ),
    # Multiply-adds of the attention are left out.
    Mutant(
        "mesm/analysis/cost.py",
        "macs = active * (channels * width + width)",
        "macs = 0",
        "tests/analysis/test_cost.py::test_conv_stages_equal_fvcores_count_exactly",
    ),
    # A pair is counted twice as work.
    Mutant(
        "mesm/analysis/cost.py",
        'yield CostEntry(modality, "conv", name, pairs * product, executed)',
        'yield CostEntry(modality, "conv", name, 2 * pairs * product, executed)',
        "tests/analysis/test_cost.py::test_conv_stages_equal_fvcores_count_exactly",
    ),
    # The second query is the first one.
    Mutant(
        "mesm/models/base.py",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD[second_query_index_B]))",
        "return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD))",
        "tests/models/test_models.py::test_the_query_index_is_the_text_that_queries",
    ),
    # A clip without a branch still has its scores.
    Mutant(
        "mesm/models/base.py",
        "logits.append(scores_BE * prepared.present_BM[:, i, None])",
        "logits.append(scores_BE)",
        "tests/models/test_models.py::test_a_missing_face_or_voice_drops_the_branch",
    ),
    # The first attention is kept although the query is another.
    Mutant(
        "mesm/models/base.py",
        "if own_query and not torch.is_grad_enabled():",
        "if not torch.is_grad_enabled():",
        "tests/models/test_prepared_again.py::test_other_weights_texts_and_choices_are_asked_anew",
    ),
    # Features are not divided by their spread.
    Mutant(
        "mesm/models/baselines/base.py",
        'rows[modality] = (values_RF - self.get_buffer(f"{modality}_mean")) / self.get_buffer(f"{modality}_std")',
        'rows[modality] = values_RF - self.get_buffer(f"{modality}_mean")',
        "tests/models/test_baselines.py::test_statistics_take_the_units_away",
    ),
    # Settings of other models are taken without a word.
    Mutant(
        "mesm/config/model.py",
        "kept = {key: value for key, value in data.items() if key in own or key not in _FORMER_FIELDS}",
        "kept = {key: value for key, value in data.items() if key in own}",
        "tests/test_config.py::test_shipped_configs_of_the_one_class_for_all_models_load",
    ),
    # Fusion weights of the authors are in another order.
    Mutant(
        "mesm/models/convert.py",
        '("text", "acoustic", "visual") if m in modalities]',
        '("text", "visual", "acoustic") if m in modalities]',
        "tests/models/test_convert.py::test_baselines_scores_are_theirs",
    ),
    # The sparse model gets the epsilon of the dense one.
    Mutant(
        "mesm/models/convert.py",
        "batch_norm_eps=_SPARSE_EPS if sparse else _DENSE_EPS",
        "batch_norm_eps=_DENSE_EPS",
        "tests/models/test_convert.py",
    ),
]
