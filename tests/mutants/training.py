"""One-line faults in training: losses, optimisation, the trainer, augmentation, settings."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

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
    Mutant(_OBJECTIVES + "step.py", "(each_BM * present_BM).sum()", "each_BM.sum()", _BY_HAND),
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
    # Clips that the detector was trained on are read by it.
    Mutant(
        "mesm/training/unit_detector.py",
        "[clip_id for clip_id, in_half in own.items() if in_half != half]",
        "[clip_id for clip_id, in_half in own.items() if in_half == half]",
        "tests/training/test_unit_detector.py",
    ),
    # The saliency is that of all logits, whatever the label.
    Mutant(
        _OBJECTIVES + "saliency.py",
        "(logits_BE * labels_BE).sum()",
        "logits_BE.sum()",
        "tests/training/test_target_maps.py",
    ),
    # Units of a frame without a file count as active.
    Mutant(
        _OBJECTIVES + "target_maps.py",
        "np.nan_to_num(read) >= active_from",
        "np.nan_to_num(read) >= 0",
        "tests/training/test_target_maps.py",
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
        "if config.top_p_range:",
        "if not config.top_p_range:",
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
        "mesm/training/run_state.py",
        "if config.patience and",
        "if False and",
        _STEPS + "::test_training_stops_when_patience_is_over",
    ),
    Mutant(
        "mesm/training/run_state.py",
        "f1 > self.best_f1",
        "f1 >= self.best_f1",
        _STEPS + "::test_the_kept_epoch",
    ),
    Mutant(
        "mesm/training/run_state.py",
        'if config.keep == "last" or f1 is None or f1 > self.best_f1:',
        "if f1 is None or f1 > self.best_f1:",
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
        "x = torch.where(hidden[:, None, :, None], x.mean((2, 3), keepdim=True), x)",
        "pass",
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
    # Accuracy counts the positives alone.
    Mutant(
        "mesm/training/metrics.py",
        "return 100 * _ratio(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn, np.nan)",
        "return 100 * _ratio(c.tp, c.tp + c.tn + c.fp + c.fn, np.nan)",
        "tests/training/test_metrics.py",
    ),
    # The Jaccard index instead of F1.
    Mutant(
        "mesm/training/metrics.py",
        "return 100 * _ratio(2 * right, 2 * right + wrong, 0.0)",
        "return 100 * _ratio(right, right + wrong, 0.0)",
        "tests/training/test_metrics.py",
    ),
    # Each side of the weighted F1 has the weight of the other.
    Mutant(
        "mesm/training/metrics.py",
        "return _ratio(p * _f1(c.tp, wrong) + q * _f1(c.tn, wrong), p + q, np.nan)",
        "return _ratio(q * _f1(c.tp, wrong) + p * _f1(c.tn, wrong), p + q, np.nan)",
        "tests/training/test_metrics.py",
    ),
    # The worst threshold is chosen.
    Mutant(
        "mesm/training/metrics.py",
        "return np.where(decidable_E, THRESHOLDS[f1.argmax(0)], np.nan)",
        "return np.where(decidable_E, THRESHOLDS[f1.argmin(0)], np.nan)",
        "tests/training/test_metrics.py",
    ),
    # The AUC is of the falling scores.
    Mutant(
        "mesm/training/metrics.py",
        "return 100 * statistics.auc(scores_NE.T, truth_NE.T.astype(bool))",
        "return 100 * statistics.auc(-scores_NE.T, truth_NE.T.astype(bool))",
        "tests/training/test_metrics.py",
    ),
    # Logarithms of the weights are returned.
    Mutant(
        "mesm/training/calibration.py",
        "return log_weights.detach().exp().float()",
        "return log_weights.detach().float()",
        "tests/training/test_calibration.py::test_true_weights_are_found_again",
    ),
    # No offset per class is fitted.
    Mutant(
        "mesm/training/calibration.py",
        ".sum(1) + offsets",
        ".sum(1)",
        "tests/training/test_calibration.py::test_true_weights_are_found_again",
    ),
    # The refit ignores the class weights.
    Mutant(
        "mesm/training/calibration.py",
        ", pos_weight=weights_E.double())",
        ")",
        "tests/training/test_calibration.py",
    ),
    # The best trials are stopped.
    Mutant(
        "mesm/training/search.py",
        'direction="maximize"',
        'direction="minimize"',
        "tests/training/test_search.py::test_a_trial_far_below_the_others_is_stopped",
    ),
    # The last value of a range is left out.
    Mutant(
        "mesm/training/search.py",
        "/ step + 1e-9, MOST_COMBINATIONS)) + 1)",
        "/ step + 1e-9, MOST_COMBINATIONS)))",
        "tests/training/test_search.py::test_exhaustive_means_every_combination_once",
    ),
    # An interrupted trial is forgotten.
    Mutant(
        "mesm/training/search.py",
        'self.study.enqueue_trial(trial.params, user_attrs={"folder": folder})',
        "pass",
        "tests/training/test_search.py::test_a_killed_trial_goes_on_where_it_was",
    ),
    # Dropout is on while a split is scored.
    Mutant(
        "mesm/training/scoring.py",
        "    model.eval()\n",
        "",
        "tests/training/test_scoring.py",
    ),
]
