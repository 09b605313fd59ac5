"""One-line faults in the FACS study; each must fail the test beside it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FACS = "mesm/studies/facs"
TESTS = "tests/studies/facs"

MUTANTS: list[Mutant] = [
    # Chance is one cell instead of the region's area.
    Mutant(
        f"{FACS}/agreement.py",
        "    share = area(region)",
        "    share = np.full(len(region), 1 / region.shape[1])",
        f"{TESTS}/test_facs_agreement.py",
    ),
    # Chance within the head or the active sites is that of the whole crop.
    Mutant(
        f"{FACS}/agreement.py",
        "    chance = _share(inside.sum(1, dtype=np.float64), where.sum(1, dtype=np.float64))",
        "    chance = area(region)",
        f"{TESTS}/test_facs_agreement.py",
    ),
    # Other emotions over the own one.
    Mutant(
        f"{FACS}/estimates.py",
        "        tuple(speakers.class_balanced_ratio(own, other) for own, other in layers),",
        "        tuple(speakers.class_balanced_ratio(other, own) for own, other in layers),",
        f"{TESTS}/test_facs_report.py::test_own_regions_against_others",
    ),
    # The lent units are the frame's own.
    Mutant(
        f"{FACS}/estimates.py",
        '        grids = coverage_on_grids(atlas.union(regions, active[lender]), study.maps["checkpoint"])',
        '        grids = coverage_on_grids(atlas.union(regions, active), study.maps["checkpoint"])',
        f"{TESTS}/test_facs_report.py::test_own_regions_against_others",
    ),
    # The centre-bias map of a clip includes the clip.
    Mutant(
        f"{FACS}/estimates.py",
        "    means = np.divide(sums.sum(0) - sums, others, out=np.full(sums.shape, np.nan), where=others > 0)",
        "    means = np.broadcast_to(sums.sum(0) / len(maps_Fn), sums.shape)",
        f"{TESTS}/test_chance_controls.py",
    ),
    # Labels are shuffled over speakers instead of clips.
    Mutant(
        f"{FACS}/estimates.py",
        "    clips, member = np.unique(faces.clip[rows], return_inverse=True)",
        "    clips, member = np.unique(faces.speaker[rows], return_inverse=True)",
        f"{TESTS}/test_facs_report.py::test_labels_are_shuffled_over_clips_of_all_speakers",
    ),
    # Coverage of a cell is rounded to 0 or 1.
    Mutant(
        "mesm/data/atlas.py",
        "    return total / np.float32(x * y)",
        "    return np.round(total / np.float32(x * y))",
        f"{TESTS}/test_facs_atlas.py::test_coverage_on_a_grid_keeps_the_area",
    ),
    # The layers are in reverse order.
    Mutant(
        f"{FACS}/estimates.py",
        "        rows[name, kind] = (*rows.get((name, kind), ()), cell)",
        "        rows[name, kind] = (cell, *rows.get((name, kind), ()))",
        f"{TESTS}/test_facs_report.py::test_layers_keep_their_order",
    ),
    Mutant(
        f"{FACS}/chart_data.py",
        "    rows = tuple(_faces(faces, layer, view) for layer in chosen)",
        "    rows = tuple(_faces(faces, layer, view) for layer in reversed(chosen))",
        "tests/figures/test_facs_figures.py::test_a_grid_has_the_layers_of_the_record_in_order",
    ),
    # Frames that do not show the emotion count too.
    Mutant(
        f"{FACS}/estimates.py",
        "                values = np.where(faces.shown[:, e], lift, np.nan)",
        "                values = lift",
        f"{TESTS}/test_facs_report.py::test_codebooks_and_groups_of_planted_attention",
    ),
    # Not significant is drawn as significant.
    Mutant(
        f"{FACS}/chart_data.py",
        "        return self.q is not None and self.q < ALPHA",
        "        return self.q is not None",
        "tests/figures/test_facs_figures.py",
    ),
    # A statement needs all layers instead of most.
    Mutant(
        f"{FACS}/statements.py",
        "    most = len(layers) // 2 + 1",
        "    most = len(layers)",
        f"{TESTS}/test_statements.py",
    ),
    # The control's verdict is the checkpoint's.
    Mutant(
        f"{FACS}/statements.py",
        '    control = _series(claim, facs, "random")',
        '    control = _series(claim, facs, "checkpoint")',
        f"{TESTS}/test_statements.py",
    ),
    # A target of two layers needs one.
    Mutant(
        f"{FACS}/targets.py",
        "        Target(*crop, _words(over_crop), sum(_value(e) >= 2.0 for e in over_crop) >= 2),",
        "        Target(*crop, _words(over_crop), sum(_value(e) >= 2.0 for e in over_crop) >= 1),",
        f"{TESTS}/test_targets.py",
    ),
    # The supervision of the checkpoint is noted under a control.
    Mutant(
        f"{FACS}/tables.py",
        '    return study.supervision.sentences if map_name == "checkpoint" else (_CONTROL,)',
        "    return study.supervision.sentences",
        "tests/figures/test_facs_figures.py::test_supervision_is_noted_under_the_checkpoint_alone",
    ),
    # What every face shows is called specific.
    Mutant(
        f"{FACS}/statements.py",
        "    baselines = [max(1.0, other or 1.0) for other in others] or [1.0] * len(layers)",
        "    baselines = [1.0] * len(layers)",
        "tests/studies/facs/test_statements.py",
    ),
    # The verdict of an emotion follows chance instead of shuffled labels.
    Mutant(
        f"{FACS}/tables.py",
        "            n for n, cell in zip(names, layers, strict=True) if cell.q_labels is not None and cell.q_labels < ALPHA",
        "            n for n, cell in zip(names, layers, strict=True) if cell.lift.q is not None and cell.lift.q < ALPHA",
        "tests/records/test_shipped_records.py::test_disgust_is_no_more_specific_than_chance",
    ),
    # Right and wrong clips are swapped.
    Mutant(
        f"{FACS}/canonical.py",
        "            groups += [f\"{e}, {'right' if right else 'wrong'}\" for e in self.emotions if e in shown]",
        "            groups += [f\"{e}, {'wrong' if right else 'right'}\" for e in self.emotions if e in shown]",
        f"{TESTS}/test_canonical.py",
    ),
    # Frames count, not speakers.
    Mutant(
        f"{FACS}/canonical.py",
        "    total = np.nansum(means, axis=0)",
        "    total = np.nansum(means[:1] * known, axis=0)",
        f"{TESTS}/test_canonical.py",
    ),
    # A record of another corpus with the same name is taken.
    Mutant(
        "mesm/ui/facs/facs_records.py",
        "    record = records().first(kind, checkpoint_sha256=model.facts.sha256, corpus=corpus)",
        "    record = records().first(kind, checkpoint_sha256=model.facts.sha256)",
        "tests/ui/test_facs_records.py",
    ),
]
