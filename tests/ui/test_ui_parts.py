"""Parts of the pages that can be looked at without a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from mesm.batch import Sample
from mesm.data.ingest import encode_arrays
from mesm.data.ingest.closeups import CLOSE_UP_PX, with_closeups
from mesm.data.ingest.faces import cut
from mesm.data.ingest.video import FrameSampler
from mesm.data.store import IndexRow
from mesm.errors import DataError
from mesm.ui.case_studies.gallery import best_face, card_label
from mesm.ui.layout import plain
from mesm.ui.try_a_clip import upload
from mesm.ui.try_a_clip.upload import digest_of

BOX = (30, 20, 110, 120)


def smooth_frames(count: int, size: int = 160) -> list[np.ndarray]:
    y, x = np.mgrid[:size, :size] / size
    return [
        np.stack([255 * x, 255 * y, 255 * (0.5 + 0.5 * np.sin(6 * x + second))], -1).astype(np.uint8)
        for second in range(count)
    ]


@pytest.fixture
def clip(tmp_path: Path) -> tuple[Sample, Path]:
    """Three seconds whose stored faces are cuts of the preview's own frames."""
    frames = [frame for frame in smooth_frames(3) for _ in range(12)]
    preview = encode_arrays(frames, 12, None, 16000, tmp_path / "clip.mp4")
    taken = list(FrameSampler(preview))
    sample = Sample(
        "c",
        "",
        np.stack([cut(frame, BOX, 48) for _, frame in taken]),
        np.zeros((0, 128, 32), np.float16),
        3.0,
        face_times_s=np.array([t for t, _ in taken], np.float32),
        face_boxes=np.tile(np.array(BOX, np.float32), (len(taken), 1)),
        face_found=np.ones(len(taken), bool),
    )
    return sample, preview


def test_closeups_are_cut_from_the_preview(clip: tuple[Sample, Path]) -> None:
    sample, preview = clip
    close = with_closeups(sample, preview).faces_large
    assert close.shape == (len(sample.faces), CLOSE_UP_PX, CLOSE_UP_PX, 3)
    small = close.reshape(-1, 48, 3, 48, 3, 3).mean(axis=(2, 4))
    assert np.abs(small - sample.faces).mean() < 4


def test_a_preview_of_another_size_or_clip_is_not_believed(clip: tuple[Sample, Path], tmp_path: Path) -> None:
    sample, preview = clip
    outside = replace(sample, face_boxes=sample.face_boxes * 3)
    moved = replace(sample, face_boxes=sample.face_boxes * 0.5)
    later = replace(sample, face_times_s=sample.face_times_s + 60)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for other, path in ((outside, preview), (moved, preview), (later, preview), (sample, broken), (sample, None)):
        assert with_closeups(other, path) is other


def test_the_best_face_is_a_found_one() -> None:
    faces = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 48, 3), np.uint8)
    sample = Sample("c", "", faces, np.zeros((0, 128, 32), np.float16), 1.0)
    assert best_face(sample)[0, 0, 0] == 2
    assert best_face(replace(sample, face_found=np.array([True, False, False, False, False])))[0, 0, 0] == 0
    assert best_face(replace(sample, face_found=np.zeros(5, bool)))[0, 0, 0] == 2
    assert best_face(replace(sample, faces=faces[:0])).shape == (96, 96, 3)


def test_labels_of_the_gallery() -> None:
    row = IndexRow("a-1", "test", "s", "t", 1.0, {"anger": 1.0, "fear": 2.0, "sadness": 0.0}, (), "", 1, 1)
    assert card_label(row, "", True) == ":small[✓ fear]"
    assert card_label(row, "anger", False) == ":small[✗ anger]"
    assert card_label(replace(row, labels={"anger": 0.0}), "", None) == ":small[none]"
    assert card_label(replace(row, labels=None), "", False) == ":small[✗ a\\-1]"


def test_a_strangers_words_stay_words() -> None:
    assert plain("*a* <b> [c](d) :red[e]") == r"\*a\* \<b\> \[c\]\(d\) \:red\[e\]"


def test_digests_tell_parts_apart() -> None:
    assert len({digest_of(b"ab", "c"), digest_of(b"a", "bc"), digest_of(b"ab", None), digest_of("ab", "c")}) == 4


def test_nothing_of_an_upload_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DataError) as error:
        upload.ingest(upload.Upload(b"nothing that can be read", None, "words"), lambda what, share: None)
    assert "the upload" in str(error.value) and str(tmp_path) not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_screen_shows_the_text_of_the_table() -> None:
    def page() -> None:
        from mesm.figures.tables import Row, Table
        from mesm.ui.tables import show_table

        rows = (Row(("a", 76.25, 3)), Row(("b", None, None)), Row(("c", 76.35, 4)))
        show_table(Table(("model", "WAcc", "clips"), rows), "scores")

    (shown,) = AppTest.from_function(page, default_timeout=60).run().dataframe
    texts = pa.ipc.open_stream(shown.proto.arrow_data.styler.display_values).read_all().to_pydict()
    assert list(texts["WAcc"]) == ["76.3", "–", "76.4"]
    assert "format" not in json.loads(shown.proto.columns)["WAcc"]["type_config"]
