"""One-line faults and the tests that must notice each of them.

    python -m tests.mutants [--only SUBSTRING] [--list]

Every fault is put into a temporary copy of the tree, never into the tree itself, and the tests named beside it are run
there; a fault that they do not notice has survived. The tests are run without a fault first. `tests/test_mutants.py`
checks that each line to replace still exists. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import mutants_faithfulness

ROOT = Path(__file__).resolve().parent.parent
_COPIED = ("mesm", "tests", "benchmarks", "pages", "app.py", "pyproject.toml", "Makefile", "README.md")
_LINKED = ("assets",)
_TIMEOUT_S = 900
#: Imported once, before the children are forked: they take longer than most tests.
_HEAVY = ("torch", "accelerate", "transformers", "pandas", "pyarrow.parquet", "sklearn.metrics", "hypothesis")


@dataclass(frozen=True)
class Mutant:
    """Hold one fault.

    Attributes:
        file: below the repository's root.
        old: text that occurs once in the file.
        new: its replacement.
        tests: paths or node ids for pytest, separated by spaces.
    """

    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old.strip()!r} -> {self.new.strip()!r}"


_OBJECTIVES = "mesm/training/objectives/"
_BY_HAND = "tests/training/test_objectives.py"
_STEPS = "tests/training/test_training_steps.py"
_OPTIM = "tests/training/test_optim.py"
_SUPERVISION = "tests/training/test_attention_supervision.py"

MUTANTS: list[Mutant] = [
    # Losses.
    Mutant(
        _OBJECTIVES + "objectives.py",
        "BranchLoss(run.train.branch, self.label_loss) if branches else None,",
        "None,",
        _STEPS + "::test_the_config_decides_which_objectives_are_summed",
    ),
    Mutant(_OBJECTIVES + "objectives.py", "one.weight * one.loss", "one.loss", _BY_HAND),
    Mutant(
        _OBJECTIVES + "label_loss.py",
        "return labels_BE * (1 - 2 * self.smoothing) + self.smoothing",
        "return labels_BE",
        _BY_HAND,
    ),
    Mutant(
        _OBJECTIVES + "label_loss.py",
        "((len(truth_NE) - positives) / positives.clamp(min=1))",
        "(positives / (len(truth_NE) - positives).clamp(min=1))",
        _BY_HAND,
    ),
    Mutant(_OBJECTIVES + "label_loss.py", ".clamp(1 / limit, limit)", "", _BY_HAND),
    Mutant(
        _OBJECTIVES + "label_loss.py",
        "for one in outputs_of(output)",
        "for one in (output,)",
        _BY_HAND,
    ),
    Mutant(_OBJECTIVES + "branch_loss.py", "(each_BME.mean(2) * present_BM).sum()", "each_BME.mean(2).sum()", _BY_HAND),
    Mutant(
        _OBJECTIVES + "branch_loss.py",
        "target_BE = self.label_loss.targets(step.labels_BE)",
        "target_BE = step.labels_BE",
        _BY_HAND,
    ),
    Mutant(
        _OBJECTIVES + "objectives.py",
        "            neutral,\n",
        "            None,\n",
        _STEPS + "::test_the_config_decides_which_objectives_are_summed",
    ),
    Mutant(
        _OBJECTIVES + "neutral_faces.py",
        "output.modality_logits_BME[step.labelled :, self.visual_branch]",
        "output.modality_logits_BME[step.labelled :].mean(1)",
        _BY_HAND,
    ),
    Mutant(
        _OBJECTIVES + "neutral_faces.py",
        "images, named = images.flip(3), named.flip(2)",
        "images = images.flip(3)",
        _BY_HAND,
    ),
    Mutant(
        _OBJECTIVES + "neutral_faces.py",
        "own = torch.arange(len(step.batch), len(batch))",
        "own = torch.zeros(self.count, dtype=torch.long)",
        _BY_HAND,
    ),
    Mutant(_OBJECTIVES + "two_texts.py", "* (a - b)).mean(2)", "* (b - a)).mean(2)", _BY_HAND),
    Mutant(
        _OBJECTIVES + "two_texts.py",
        "queried_BM[:, self.text_branch] = False",
        "queried_BM[:, self.text_branch + 1] = False",
        _BY_HAND,
    ),
    Mutant(
        _OBJECTIVES + "attention_supervision.py", "(target * ratio.log())", "(attention * ratio.log())", _SUPERVISION
    ),
    Mutant(
        _OBJECTIVES + "attention_supervision.py",
        "query_clip_ids = [step.batch.clip_ids[int(i)] for i in step.query_index_B]",
        "query_clip_ids = list(step.batch.clip_ids)",
        _SUPERVISION + "::test_the_target_follows_a_shuffled_query",
    ),
    Mutant(
        _OBJECTIVES + "auxiliary_targets.py",
        "(rows[modality] - mean) / spread",
        "rows[modality] - mean",
        "tests/training/test_auxiliary_targets.py",
    ),
    Mutant(
        _OBJECTIVES + "objectives.py",
        'shuffled = self.run.train.queries == "shuffled"',
        "shuffled = False",
        _STEPS + "::test_queries_are_permuted_or_the_clips_own",
    ),
    # Optimisation.
    Mutant("mesm/training/optim.py", "return (step + 1) / rise", "return 1.0", _OPTIM),
    Mutant(
        "mesm/training/optim.py",
        "share = (step - rise) / max(1, total - rise)",
        "share = 0.0",
        _OPTIM,
    ),
    Mutant("mesm/training/optim.py", "low = 0.01 if", "low = 0.1 if", _OPTIM),
    Mutant(
        "mesm/training/optim.py",
        'norm = nn.utils.clip_grad_norm_(group["params"], limit)',
        'norm = nn.utils.get_total_norm([p.grad for p in group["params"]])',
        _OPTIM,
    ),
    Mutant(
        "mesm/training/optim.py",
        'nn.utils.clip_grad_norm_(group["params"], limit)',
        'nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], limit)',
        _OPTIM,
    ),
    Mutant(
        "mesm/training/optim.py",
        '0.0 if name in ("attention", "bilinear") else config.weight_decay',
        "config.weight_decay",
        _OPTIM,
    ),
    Mutant("mesm/training/optim.py", '"attention": config.attention_lr_factor', '"attention": 1.0', _OPTIM),
    Mutant("mesm/training/optim.py", '"text": config.text_lr_factor', '"text": 1.0', _OPTIM),
    Mutant("mesm/training/optim.py", '"bilinear": config.bilinear_lr_factor', '"bilinear": 1.0', _OPTIM),
    # The trainer.
    Mutant(
        "mesm/training/trainer.py",
        "if not config.top_p_range:",
        "if config.top_p_range:",
        _STEPS + "::test_top_p_is_drawn_for_every_step",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "np.random.default_rng([config.seed, epoch, step])",
        "np.random.default_rng([config.seed, epoch])",
        _STEPS + "::test_top_p_is_drawn_for_every_step",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "self.accelerator.backward(loss / config.accumulate)",
        "self.accelerator.backward(loss)",
        _STEPS + "::test_accumulated_gradients_are_a_mean",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "clip_gradients(self.optimizer, config.clip_norm)",
        "pass",
        _STEPS + "::test_gradients_are_clipped_and_start_at_zero_each_step",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "self.optimizer.zero_grad(set_to_none=True)",
        "pass",
        _STEPS + "::test_gradients_are_clipped_and_start_at_zero_each_step",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "            self.schedule.step()\n",
        "",
        _STEPS + "::test_the_rate_follows_the_schedule",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "if self.run.train.patience and",
        "if False and",
        _STEPS + "::test_training_stops_when_patience_is_over",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "validation.f1 > self.best_f1",
        "validation.f1 >= self.best_f1",
        _STEPS + "::test_the_kept_epoch",
    ),
    Mutant(
        "mesm/training/trainer.py",
        'if self.run.train.keep == "last" or validation.f1 > self.best_f1:',
        "if validation.f1 > self.best_f1:",
        _STEPS + "::test_the_kept_epoch",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "for row in self.train_loader.rows])",
        "for row in self.corpus.index])",
        _STEPS + "::test_class_weights_are_of_the_training_clips",
    ),
    Mutant(
        "mesm/training/trainer.py",
        "refit_fusion(best.model, self.valid_loader,",
        "refit_fusion(best.model, self.train_loader,",
        "tests/training/test_calibration.py",
    ),
    Mutant(
        "mesm/training/model_setup.py",
        'corpus.ids("train"))',
        'corpus.ids("valid"))',
        _STEPS + "::test_features_are_standardised_on_the_training_split",
    ),
    # Augmentation.
    Mutant(
        "mesm/training/augment.py",
        "return torch.where(hidden[:, None, :, None], x.mean((2, 3), keepdim=True), x)",
        "return x",
        "tests/training/test_augment.py",
    ),
    Mutant("mesm/training/augment.py", "brightness = 25 *", "brightness = 0 *", "tests/training/test_augment.py"),
    Mutant(
        "mesm/training/augment.py",
        "None if regions_SRHW is None else move(regions_SRHW)",
        "regions_SRHW",
        "tests/training/test_augment.py",
    ),
    Mutant(
        "mesm/training/augment.py",
        "flipped = torch.where(self.flip_S[:, None, None, None], maps_SCHW.flip(3), maps_SCHW)",
        "flipped = maps_SCHW",
        "tests/training/test_augment.py",
    ),
    Mutant(
        _OBJECTIVES + "objectives.py",
        "if self.run.train.augment:",
        "if False:",
        _STEPS + "::test_batches_are_augmented_in_training_only",
    ),
    # Stored settings of older versions.
    Mutant(
        "mesm/config/training.py",
        '"look": "attention.weight"',
        '"look": "auxiliary.weight"',
        "tests/test_config.py",
    ),
    Mutant(
        "mesm/config/training.py",
        'upgraded.setdefault("queries", "shuffled")',
        "pass",
        "tests/test_config.py",
    ),
    # Models, layers, sparse engine, costs.
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
]

MUTANTS += [Mutant(*fault) for fault in mutants_faithfulness.MUTANTS]


def copy_tree(target: Path) -> None:
    """Copy the code and link the data of the repository."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy2(source, target / name)
    for name in _LINKED:
        (target / name).symlink_to(ROOT / name)


def run_tests(tree: Path, tests: str) -> None:
    """Run tests of a tree in a child process, and end it with pytest's exit status."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mesm", "tests", "benchmarks")]:
        del sys.modules[name]
    os.chdir(tree)
    os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--rootdir", str(tree)]
    os._exit(int(pytest.main([*options, *tests.split()])))


def passes(tree: Path, tests: str) -> bool:
    """Return whether the tests pass in a tree; a test that never ends has noticed the fault."""
    child = multiprocessing.get_context("fork").Process(target=run_tests, args=(tree, tests))
    child.start()
    child.join(_TIMEOUT_S)
    if child.exitcode is None:
        child.kill()
        child.join()
    return child.exitcode == 0


def survives(tree: Path, mutant: Mutant) -> bool:
    """Return whether the tests pass with the fault in the tree, which is as before afterwards.

    Raises:
        ValueError: the line to replace does not occur exactly once.
    """
    path = tree / mutant.file
    original = path.read_text()
    if original.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.file} holds {mutant.old!r} {original.count(mutant.old)} times; mend tests/mutants.py"
        )
    path.write_text(original.replace(mutant.old, mutant.new))
    try:
        return passes(tree, mutant.tests)
    finally:
        path.write_text(original)


def main() -> int:
    """Run the faults and print the score; exit status 1 if one survives or the tests fail without a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of the file, the line or the tests")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in f"{mutant} {mutant.tests}"]
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0
    sys.dont_write_bytecode = True
    for name in _HEAVY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        tree = Path(folder)
        copy_tree(tree)
        if not passes(tree, " ".join(sorted({test for mutant in chosen for test in mutant.tests.split()}))):
            print("the tests fail without a fault; mend them first")
            return 1
        killed = 0
        for mutant in chosen:
            started = time.perf_counter()
            survived = survives(tree, mutant)
            killed += not survived
            print(
                f"{'SURVIVED' if survived else 'killed  '} {time.perf_counter() - started:4.0f} s  {mutant}", flush=True
            )
    print(f"{killed} of {len(chosen)} faults noticed, {100 * killed / max(1, len(chosen)):.0f} %")
    return int(killed < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
