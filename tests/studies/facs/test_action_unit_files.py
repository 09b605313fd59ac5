"""Action units that a user brings, in the columns that OpenFace and py-feat write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.data.action_unit_files import read_units, units_of_clips
from mesm.data.atlas import COLUMN
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.runtime import assets

OPENFACE = """frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU12_c, AU28_c, AU45_c
1, 0, 0.000, 0.98, 1, 0.00, 2.50, 1.00, 0.00, 1.00
2, 0, 0.500, 0.98, 1, 5.00, 0.00, 0.00, 0.00, 0.00
3, 0, 1.000, 0.10, 0, 4.00, 4.00, 1.00, 0.00, 1.00
"""
PYFEAT = "frame,FaceScore,AU01,AU12,anger\n0,0.9,0.25,0.75,0.1\n15,0.9,,0.5,0.1\n"


def test_openface(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(OPENFACE)
    table = read_units(tmp_path / "a.csv")
    assert np.allclose(table.times_s, [0, 0.5, 1])
    assert np.allclose(table.intensity[:2, COLUMN[1]], [0, 1]) and np.allclose(
        table.intensity[:2, COLUMN[12]], [0.5, 0]
    )
    assert np.allclose(table.intensity[:2, COLUMN[45]], [1, 0])  # only its presence is known
    assert np.isnan(table.intensity[2]).all() and np.isnan(table.intensity[0, COLUMN[4]])


def test_py_feat_needs_a_frame_rate(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(PYFEAT)
    with pytest.raises(DataError, match="--units-fps"):
        read_units(tmp_path / "b.csv")
    table = read_units(tmp_path / "b.csv", fps=30)
    assert np.allclose(table.times_s, [0, 0.5]) and np.isnan(table.intensity[1, COLUMN[1]])
    assert np.allclose(table.intensity[:, COLUMN[12]], [0.75, 0.5])


def test_frames_take_the_row_nearest_in_time(tmp_path: Path) -> None:
    corpus = Corpus(assets() / "marionette")
    clip_id, other = corpus.ids("test")[:2]
    (tmp_path / f"{clip_id}.csv").write_text(OPENFACE)
    found = units_of_clips(tmp_path, corpus, [clip_id, other])
    assert set(found) == {clip_id} and len(found[clip_id]) == len(corpus[clip_id].faces)
    assert found[clip_id][1, COLUMN[1]] == 1 and np.isnan(found[clip_id][3:]).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("frame,timestamp,smile\n1,0,1\n", "no columns such as AU01_r"),
        ("timestamp,AU01\n0,much\n", "'much' in column AU01"),
        ("", "is empty"),
        ("frame,timestamp,AU01\n1,0\n", r"row 1 \(line 2\) has 2 cells, the header 3"),
        ("timestamp,success,AU01_r\n0,much,1\n", "column success"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        read_units(tmp_path / "c.csv")


def test_files_must_be_named_after_clips(tmp_path: Path) -> None:
    corpus = Corpus(assets() / "marionette")
    with pytest.raises(DataError, match="has no file named after a clip"):
        units_of_clips(tmp_path, corpus, list(corpus.ids("test")))
    with pytest.raises(DataError, match="cannot be read"):
        read_units(tmp_path / "missing.csv")


def test_rows_of_other_faces_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = Corpus(assets() / "marionette")
    clip_id = corpus.ids("test")[0]
    (tmp_path / f"{clip_id}.csv").write_text(OPENFACE + "1, 1, 0.000, 0.98, 1, 1.00, 2.50, 1.00, 0.00, 1.00\n")
    table = read_units(tmp_path / f"{clip_id}.csv")
    assert table.other_faces == 1 and np.allclose(table.intensity[:2, COLUMN[1]], [0, 1])
    units_of_clips(tmp_path, corpus, [clip_id])
    assert "1 rows of other faces are left out" in caplog.text
