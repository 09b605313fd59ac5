"""Try a clip takes the checkpoint of people where there is one; its warning follows the checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesm.records.limits import RENDERED_FACES
from tests.app.app_page import open_page, texts


def test_people_are_the_default_for_an_own_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    page = open_page("pages/try_a_clip.py", alone=True)
    assert page.sidebar.selectbox(key="checkpoint").value == "people-mesm"
    assert "Trained on GoEmotions" in texts(page) and "RAVDESS" in texts(page) and "non-commercial" in texts(page)
    page = open_page("pages/try_a_clip.py", alone=True, checkpoint="marionette-mesm")
    assert page.warning[0].value == RENDERED_FACES
