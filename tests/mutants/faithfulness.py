"""One-line faults in the statistics and the faithfulness tests, each with the test file that must fail on it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

STATISTICS, FAITHFULNESS = "mesm/statistics.py", "mesm/studies/faithfulness"
CONTROLS = "mesm/analysis/attention_controls.py"
TEST_STATISTICS = "tests/test_statistics.py"
TEST_PARTS = "tests/studies/faithfulness/test_faithfulness_parts.py"

MUTANTS: list[Mutant] = [
    Mutant(  # a small trial hides a large record
        "mesm/records/store.py",
        "        matches.sort(key=_preference)",
        "        pass",
        "tests/records/test_shipped_records.py::test_a_small_trial_does_not_hide_a_large_record",
    ),
    Mutant(  # the label that is first at p = 1 is followed
        "mesm/studies/faithfulness/sites.py",
        "    scores = clips.branch_scores(clips.predictor.attention_model.finish(prepared, clips.top_p))",
        "    scores = clips.branch_scores(clips.predictor.attention_model.finish(prepared, 1.0))",
        "tests/studies/faithfulness/test_faithfulness_whole.py::test_the_followed_label_is_the_one_at_the_models_own_p",
    ),
    Mutant(  # rows are resampled instead of speakers
        STATISTICS,
        "        unique, member = np.unique(self.names, return_inverse=True)",
        "        unique = member = np.arange(len(self.names))",
        TEST_STATISTICS,
    ),
    Mutant(  # an interval from any number of speakers
        STATISTICS,
        "    if speakers < MIN_SPEAKERS or not len(drawn_R):",
        "    if not len(drawn_R):",
        TEST_STATISTICS,
    ),
    Mutant(  # speakers without data count towards the fewest
        STATISTICS,
        "            speakers = self.count if with_data is None else with_data",
        "            speakers = self.count",
        TEST_STATISTICS,
    ),
    Mutant(  # NaN counts as 0
        STATISTICS,
        "        known = ~np.isnan(values_N)",
        "        known = np.ones(len(values_N), bool)",
        TEST_STATISTICS,
    ),
    Mutant(  # p may be 0
        STATISTICS,
        "    return (1 + (np.abs(signs @ departure_GK) >= observed_K).sum(0)) / (1 + draws)",
        "    return (np.abs(signs @ departure_GK) >= observed_K).mean(0)",
        TEST_STATISTICS,
    ),
    Mutant(  # the same in the shuffled labels
        STATISTICS,
        "    p = (1 + (null >= observed - 1e-12).sum(0)) / (1 + draws)",
        "    p = (null >= observed - 1e-12).mean(0)",
        TEST_STATISTICS,
    ),
    Mutant(  # no correction for the number of tests
        STATISTICS,
        "        q[known] = false_discovery_control(p[known])",
        "        q[known] = p[known]",
        TEST_STATISTICS,
    ),
    Mutant(  # Benjamini-Yekutieli instead of Benjamini-Hochberg
        STATISTICS,
        "        q[known] = false_discovery_control(p[known])",
        "        q[known] = false_discovery_control(p[known], method='by')",
        TEST_STATISTICS,
    ),
    Mutant(  # ties count nothing in the AUC
        STATISTICS,
        "    return _divide((positive * beaten).sum(1) / 2, positive.sum(1) * below[:, -1])",
        "    return _divide((positive * np.take_along_axis(below, first, 1)).sum(1), positive.sum(1) * below[:, -1])",
        TEST_STATISTICS,
    ),
    Mutant(  # the bootstrap of the AUC ignores the resample
        STATISTICS,
        "    weights = times_GR[member_N[positive]]",
        "    weights = np.ones_like(times_GR[member_N[positive]])",
        TEST_STATISTICS,
    ),
    Mutant(  # a frequent class counts as often as it occurs
        STATISTICS,
        "            first, second = (times @ a) / (times @ n), (times @ b) / (times @ m)",
        "            first, second = times @ a, times @ b",
        TEST_STATISTICS,
    ),
    Mutant(  # the normal interval instead of Wilson's
        STATISTICS,
        '    interval = binomtest(successes, trials).proportion_ci(method="wilson")',
        '    interval = binomtest(successes, trials).proportion_ci(method="exact")',
        TEST_STATISTICS,
    ),
    Mutant(  # a 90 % interval
        STATISTICS,
        "_ENDS = (2.5, 97.5)",
        "_ENDS = (5, 95)",
        TEST_STATISTICS,
    ),
    Mutant(  # a clip may keep its own text
        f"{FAITHFULNESS}/shuffled.py",
        "    other[order] = np.roll(order, 1)",
        "    other[order] = rng.permutation(count)",
        TEST_PARTS,
    ),
    Mutant(  # deletion keeps the most attended
        f"{FAITHFULNESS}/sites.py",
        '    return attention if order == "attention" else -attention',
        "    return attention",
        TEST_PARTS,
    ),
    Mutant(  # the complement is the nucleus
        f"{FAITHFULNESS}/sites.py",
        "        rest = active & ~nucleus_mask(attention, active, self.top_p)",
        "        rest = active & nucleus_mask(attention, active, self.top_p)",
        TEST_PARTS,
    ),
    Mutant(  # every layer is pruned
        f"{FAITHFULNESS}/sites.py",
        '        if pruned not in ("all", f"L{layer + 1}"):',
        "        if not pruned:",
        TEST_PARTS,
    ),
    Mutant(  # the gain of the deletion has the wrong sign
        f"{FAITHFULNESS}/sites.py",
        "        deletion_gain=speakers.mean(random - deletion),",
        "        deletion_gain=speakers.mean(deletion - random),",
        TEST_PARTS,
    ),
    Mutant(  # a clip without labels counts as wrong
        f"{FAITHFULNESS}/evaluation_clips.py",
        "    known = truth_NE.any(1) & np.isfinite(scores_NE).all(1)",
        "    known = np.isfinite(scores_NE).all(1)",
        TEST_PARTS,
    ),
    Mutant(  # the text lift is divided by the own text's share too
        f"{FAITHFULNESS}/neutral_faces.py",
        "    off = ~np.eye(count, dtype=bool)",
        "    off = np.ones((count, count), bool)",
        TEST_PARTS,
    ),
    Mutant(  # the trained weights do not return
        CONTROLS,
        "                parameter.copy_(value)",
        "                parameter.copy_(parameter)",
        TEST_PARTS,
    ),
    Mutant(  # they return only without an error
        CONTROLS,
        "    finally:",
        "    except ZeroDivisionError:",
        TEST_PARTS,
    ),
    Mutant(  # re-initialised attention keeps the text's term
        CONTROLS,
        "                    nn.init.zeros_(attention.bilinear.weight)  # type: ignore[union-attr, arg-type]",
        "                    pass",
        TEST_PARTS,
    ),
    Mutant(  # the moments are not the trained ones
        CONTROLS,
        "        parameter.copy_(mean + spread * drawn)",
        "        parameter.copy_(drawn)",
        TEST_PARTS,
    ),
]
