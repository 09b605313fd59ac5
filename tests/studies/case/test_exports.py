"""What the exports of one clip say: command, provenance, caption, numbers."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from mesm.cli import parser
from mesm.cli.measuring import target_parts
from mesm.errors import ConfigError
from mesm.figures.export import provenance_of
from mesm.studies.case.exports import export_case, export_pair, export_scores, export_units, pair_names
from mesm.studies.case.mosaic import MosaicStyle, fit_window
from tests.figures.exhibit_records import made_prediction, made_sample

ORIGIN = {
    "checkpoint": "made", "checkpoint_sha256": "0" * 64, "config": {}, "seed": 0, "trained_on": "toy", "corpus": "toy",
    "licence": "CC0", "corpus_digest": "0123456789abcdef", "corpus_key": "toy@01234567",
}  # fmt: skip


@pytest.mark.parametrize("name", ["my clip", "a $(touch x).mp4", "-x", "it's", "a;b|c&d`e`", "--help", '"', "你好"])
def test_a_shell_reads_the_command_as_it_was_meant(name: str) -> None:
    sample = replace(made_sample(), clip_id=name)
    command = export_scores(sample, made_prediction(sample), ORIGIN | {"corpus_key": f"{name}@01234567"}).command
    parsed = parser().parse_args(shlex.split(command)[1:])
    assert (parsed.target, parsed.clip) == (f"made@{name}@01234567", name)
    assert shlex.split(pair_names("made", 0.5, checkpoint=name)[1]) == ["--other", name]


def test_the_command_opens_the_same_corpus_and_the_provenance_names_it() -> None:
    sample = made_sample()
    export = export_scores(sample, made_prediction(sample), ORIGIN)
    assert export.command == f"mesm figure scores made@toy@01234567 --clip {sample.clip_id} --top-p 0.5"
    written = provenance_of(export, "json", "acl-column")
    assert written["corpus"] == "toy" and written["corpus_digest"] == "0123456789abcdef" and "corpus_key" not in written
    plain = {name: value for name, value in ORIGIN.items() if name != "corpus_key"}
    assert " made@toy --clip" in export_scores(sample, made_prediction(sample), plain).command
    own = export_scores(sample, made_prediction(sample), ORIGIN | {"corpus": ""})
    assert own.command.startswith("# ")


def test_a_target_may_hold_a_digest() -> None:
    assert target_parts("made@toy@01234567") == ("made", "toy@01234567")
    assert target_parts("runs/made@toy") == ("runs/made", "toy")
    with pytest.raises(ConfigError, match="CHECKPOINT@CORPUS"):
        target_parts("made")


def test_the_command_names_what_differs_from_its_defaults() -> None:
    sample = made_sample()
    prediction, window = made_prediction(sample), fit_window(sample.duration_s)
    default = export_case(sample, prediction, window, MosaicStyle(), ORIGIN, "none").command
    assert default.endswith("--top-p 0.5 --privacy none")
    style = MosaicStyle("heat map", 0.5, (1,), True)
    other = export_case(sample, prediction, window, style, ORIGIN, "blur")
    assert other.command.endswith("--look heat-map --opacity 0.5 --layers 2 --loudest --privacy blur")
    assert "Face: L2 keeps" in other.caption and other.caption.count("highest 10 %") == 1, "of the voice alone"


def test_a_pair_holds_both_scores_and_names_the_control() -> None:
    sample = made_sample()
    first = made_prediction(sample)
    second = replace(first, scores=first.scores[::-1].copy())
    names, option = pair_names("made", 0.5, draw=2)
    export = export_pair(sample, (first, second), names, ORIGIN, option)
    assert export.table is not None and "drawn again" in export.caption and export.command.endswith("--random 2")
    for row, a, b in zip(export.table.rows, first.scores, second.scores, strict=False):
        assert row.cells[1:] == (float(a), float(b), float(b) - float(a))
    assert pair_names("made", 0.5, other_p=1.0) == (("p = 0.5", "p = 1"), "--other-p 1")


def test_units_without_a_rendered_face_are_refused() -> None:
    with pytest.raises(AssertionError):
        export_units(replace(made_sample(), truth=None), ORIGIN)
