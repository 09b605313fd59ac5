"""One-line faults in the figures and tables of one clip, and the fast test that each must fail."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_MOSAIC, _TABLES, _FILTERS = "mesm/studies/case/mosaic.py", "mesm/figures/tables.py", "mesm/ui/case_studies/filters.py"
_TEST_MOSAIC, _TEST_TABLES = "tests/figures/test_mosaic.py", "tests/figures/test_tables.py"
_TEST_FILTERS, _TEST_EXPORTS = "tests/ui/test_filters.py", "tests/studies/case/test_exports.py"

MUTANTS: list[Mutant] = [
    # Kept sites are faded instead of dropped ones.
    Mutant(_MOSAIC, "    return ~kept", "    return kept", _TEST_MOSAIC),
    # The spectrogram is upside down.
    Mutant(
        _MOSAIC,
        "        loudness = mel_loudness(sample.mel, style.loudest_only)[::-1]",
        "        loudness = mel_loudness(sample.mel, style.loudest_only)",
        _TEST_MOSAIC,
    ),
    # A chunk of 400 ms is drawn as 800 ms.
    Mutant(
        _MOSAIC,
        "HOPS_PER_S = 1000 * CHUNK_HOPS / CHUNK_MS",
        "HOPS_PER_S = 500 * CHUNK_HOPS / CHUNK_MS",
        _TEST_MOSAIC,
    ),
    # Faces of a licensed corpus are published.
    Mutant(
        "mesm/figures/privacy.py",
        '    return "none" if licence.upper().startswith("CC0") else "blur"',
        '    return "none"',
        "tests/figures/test_paper_figures.py",
    ),
    # The CSV leaves the spreads out.
    Mutant(
        _TABLES,
        "        spreads = [i for i in range(len(self.columns)) if any(_spread(row, i) is not None for row in self.rows)]",
        "        spreads: list[int] = []",
        _TEST_TABLES,
    ),
    # LaTeX is not escaped.
    Mutant(_TABLES, "    return text.translate(_LATEX)", "    return text", _TEST_TABLES),
    # The worst value is bold.
    Mutant(
        _TABLES,
        '        order = sorted((float(s) for s in shown if s != "–"), reverse=True)',
        '        order = sorted(float(s) for s in shown if s != "–")',
        _TEST_TABLES,
    ),
    # The label flip is searched from the smallest p instead of from 1.
    Mutant(
        "mesm/studies/case/label_flip.py",
        "        flip, sufficient = _bisect(agrees, max(others), grid[grid.index(max(others)) + 1], precision)",
        "        flip, sufficient = _bisect(agrees, min(others), grid[grid.index(min(others)) + 1], precision)",
        "tests/studies/case/test_label_flip.py",
    ),
    # The overlap of two masks is a share of the first mask.
    Mutant(
        "mesm/studies/case/difference.py",
        "    either = int((one | other).sum())",
        "    either = int(one.sum())",
        "tests/figures/test_difference.py",
    ),
    # The second bar of a pair shows the first prediction.
    Mutant(
        "mesm/studies/case/chart_data.py",
        "    scores = [[float(one.scores[one.labels.index(label)]) for label in labels] for one in pair]",
        "    scores = [[float(first.scores[first.labels.index(label)]) for label in labels] for one in pair]",
        _TEST_EXPORTS,
    ),
    # The printed command opens whichever corpus has the name.
    Mutant(
        "mesm/studies/case/exports.py",
        '    corpus = origin.get("corpus_key") or origin["corpus"]',
        '    corpus = origin["corpus"]',
        _TEST_EXPORTS,
    ),
    # "Right" shows the clips on which the model is wrong.
    Mutant(
        _FILTERS,
        "        is_right = filters.result == RIGHT",
        "        is_right = filters.result != RIGHT",
        _TEST_FILTERS,
    ),
    # "No flag" hides the clips without a flag.
    Mutant(
        _FILTERS,
        "    if filters.quality == CLEAN and row.quality:",
        "    if filters.quality == CLEAN and not row.quality:",
        _TEST_FILTERS,
    ),
]
