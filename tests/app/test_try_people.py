"""Try a clip takes the checkpoint of people where there is one; its warning follows the checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mesm.records.limits import RENDERED_FACES
from mesm.runtime import assets
from tests.app.app_page import open_page, texts


def test_people_are_the_default_for_an_own_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "checkpoints" / "people-mesm"
    shutil.copytree(assets() / "checkpoints" / "marionette-mesm", folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics |= {"trained_on": "people", "sources": ["ravdess; CC BY-NC-SA 4.0; Livingstone & Russo 2018"]}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    page = open_page("pages/try_a_clip.py", alone=True)
    assert page.sidebar.selectbox(key="checkpoint").value == "people-mesm"
    assert "Trained on ravdess" in texts(page) and "non-commercial" in texts(page)
    page = open_page("pages/try_a_clip.py", alone=True, checkpoint="marionette-mesm")
    assert page.warning[0].value == RENDERED_FACES
