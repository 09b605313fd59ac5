"""Efficiency, Results and Export: what they show of records, what they say without, and that files are the command's."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from mesm.cli import main
from mesm.cli.figure import remake
from mesm.figures.export import ExportItem, FigureExport, make_zip, render
from mesm.files import file_sha256
from mesm.records import base as records
from mesm.records.base import CorpusId
from mesm.records.evaluation import Scores
from mesm.ui import export_menu, jobs
from mesm.ui.export import basket
from mesm.ui.facs.view import SECTIONS
from tests.app.app_page import open_page, texts
from tests.figures.exhibit_records import evaluation_record, reproduction_record
from tests.figures.facs_records_made import write_records
from tests.studies.sweep.made_sweeps import made_point, made_sweep


def put(home: Path, record: records.Record[Any], checkpoint: str, **changes: Any) -> None:
    origin = replace(record.provenance, checkpoint=checkpoint, corpus=CorpusId("noise"), **changes)
    records.write_record(home / "records", replace(record, provenance=origin))


def put_sweep(home: Path, corpus: CorpusId = CorpusId("noise"), **options: Any) -> None:  # noqa: B008
    options.setdefault("sha256", "5" * 64)  # of other weights than the evaluations'
    records.write_record(home / "records", made_sweep("tiny-mesm", corpus, **options))


@pytest.fixture(autouse=True)
def no_records_left(filled: Path) -> Iterator[None]:
    """The workspace is shared with other tests."""
    yield
    for path in (filled / "records").glob("*.json"):
        path.unlink()


@pytest.fixture
def recorded(home: Path) -> Path:
    """A sweep, two evaluations and a line of a reproduced table, in the workspace that all these tests share."""
    put_sweep(home)
    put(home, evaluation_record(), "tiny-mesm")
    put(home, evaluation_record("dense", None), "tiny-fe2e")
    put(home, reproduction_record(), "MESM")
    shutil.rmtree(home / basket.FOLDER, ignore_errors=True)
    return home


def trouble(page: AppTest) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]


def offered(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> list[FigureExport]:
    """What the page offers for export, in order."""
    found: list[FigureExport] = []
    with monkeypatch.context() as patch:
        patch.setattr(export_menu, "offer", lambda exhibit, key: found.append(exhibit))
        page.run()
    assert trouble(page) == []
    return found


def test_efficiency_shows_the_sweep_of_the_chosen_checkpoint(recorded: Path) -> None:
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert trouble(page) == []
    assert page.multiselect(key="sweeps").value == ["tiny-mesm@noise"]
    assert [m.value for m in page.metric] == ["p = 0.5", "0.40", "0.45", "66.0 %", "67.0 %"]
    said = texts(page)
    assert "the curve reported in the paper" in said and "30 clips, 5 speakers" in said
    page.toggle(key="relative").set_value(False).run()
    assert "the curve reported in the paper" not in texts(page) and trouble(page) == []
    page.toggle(key="relative").set_value(True).run()
    page.segmented_control(key="axis").set_value("gflop").run()
    assert "two FLOP per multiply-add" in texts(page)
    assert page.toggle(key="relative").disabled and "the paper's curve has no GFLOP" in texts(page)
    titles = json.loads(page.get("plotly_chart")[0].proto.spec)["layout"]
    assert titles["yaxis"]["title"]["text"] == "weighted accuracy, %", "no shares without the curve"
    page.segmented_control(key="axis").set_value("top_p").run()
    ours = json.loads(page.get("plotly_chart")[0].proto.spec)["data"][1]
    assert ours["x"] == [0.2, 0.5, 1.0] and ours["text"] == ["0.2", "", "1"]  # the elbow's ring has its own words
    assert "the curve reported in the paper" in texts(page)


def test_tiles_and_elbow_are_of_the_chosen_score(recorded: Path) -> None:
    points = tuple(
        replace(made_point(p, ratio, wacc), average=Scores(accuracy=accuracy, wacc=wacc, f1=40.0))
        for p, ratio, wacc, accuracy in (
            (0.2, 0.2, 60.0, 71.0),
            (0.3, 0.4, 66.0, 71.5),
            (0.5, 0.5, 66.5, 79.0),
            (1.0, 0.9, 67.0, 80.0),
        )
    )
    record = made_sweep("tiny-mesm", CorpusId("noise"), "5" * 64, points=points)
    records.write_record(recorded / "records", replace(record, data=replace(record.data, elbow=0.3)))
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert [m.value for m in page.metric][:4] == ["p = 0.3", "0.40", "0.45", "66.0 %"]
    page.segmented_control(key="metric").set_value("accuracy").run()
    assert trouble(page) == []
    assert [m.value for m in page.metric] == ["p = 0.5", "0.50", "0.55", "79.0 %", "72.0 %"]
    assert [m.label for m in page.metric][3:] == ["accuracy (never: 70.0)", "accuracy of FE2E"]


def test_a_small_sweep_does_not_hide_the_large_one(recorded: Path) -> None:
    small = recorded / "records" / "sweep_tiny-mesm_noise.json"
    small.rename(recorded / "records" / "sweep_large.json")
    put_sweep(recorded, clips=8)
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert page.multiselect(key="sweeps").value == ["tiny-mesm@noise"] and "30 clips, 5 speakers" in texts(page)
    page.multiselect(key="sweeps").set_value(["tiny-mesm@noise, 8 clips"]).run()
    assert trouble(page) == [] and "8 clips, 5 speakers" in texts(page)


def test_times_of_whole_batches_are_refused(recorded: Path) -> None:
    record = made_sweep("tiny-mesm", CorpusId("noise"))
    records.write_record(recorded / "records", replace(record, data=replace(record.data, timed_on=None)))
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm", axis="measured ms")
    assert any("timed in whole batches" in sentence for sentence in trouble(page))


def test_a_sweep_of_another_corpus_of_the_same_name_does_not_hide_this_one(recorded: Path) -> None:
    """The chosen corpus's sweep is drawn first, whichever is newer; the other one stays in the list."""
    other = CorpusId("noise", "f" * 16)
    put_sweep(recorded, other, clips=8)
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert trouble(page) == []
    assert set(page.multiselect(key="sweeps").options) == {"tiny-mesm@noise", "tiny-mesm@noise@ffffffff"}
    assert page.multiselect(key="sweeps").value == ["tiny-mesm@noise"] and "30 clips, 5 speakers" in texts(page)
    page.multiselect(key="sweeps").set_value(["tiny-mesm@noise@ffffffff"]).run()
    assert "8 clips, 5 speakers" in texts(page) and trouble(page) == []


def test_time_shows_fe2e_where_it_was_timed_and_says_how_where_not(recorded: Path) -> None:
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm", axis="measured ms")
    assert trouble(page) == [] and "was not timed" not in texts(page)
    chart = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert "ms" in chart["layout"]["xaxis"]["title"]["text"]
    names = [trace.get("name") for trace in chart["data"]]
    assert "dense, noise" in names
    put_sweep(recorded, reference=False)
    (recorded / "records" / "evaluate_tiny-fe2e_noise.json").unlink()
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm", axis="measured ms")
    assert trouble(page) == []
    assert "was not timed beside tiny-mesm" in texts(page) and "--against" in texts(page)


def test_a_record_of_other_weights_is_named(recorded: Path) -> None:
    for file in ("pages/efficiency.py", "pages/results.py"):
        assert "other weights of tiny-mesm; make it again with: mesm" in texts(open_page(file, checkpoint="tiny-mesm"))


def test_the_overview_reads_a_score_beside_fe2e_and_the_masks_beside_chance(recorded: Path) -> None:
    digest = file_sha256(recorded / "checkpoints" / "tiny-mesm" / "model.safetensors")
    put(recorded, evaluation_record(), "tiny-mesm", checkpoint_sha256=(digest,))
    write_records(recorded / "records", "tiny-mesm", "noise", digest)
    page = open_page("pages/overview.py", checkpoint="tiny-mesm")
    assert trouble(page) == []
    assert [m.value for m in page.metric] == ["70.0 %", "0.40", "2.0 × chance"]
    assert "fe2e: 70.0 %" in texts(page) and "30 clips of 5 speakers" in texts(page)


def test_efficiency_says_why_a_sweep_cannot_start(recorded: Path) -> None:
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert not next(b for b in page.button if b.label == "Start").disabled, "the checkpoint's thresholds serve"
    page = open_page("pages/efficiency.py", checkpoint="tiny-fe2e")
    assert "computes every site" in texts(page)
    assert next(b for b in page.button if b.label == "Start").disabled


def put_timed_sweep(home: Path, corpus: CorpusId = CorpusId("noise")) -> None:  # noqa: B008
    """A sweep of the checkpoints of the workspace, as another machine timed them."""
    mesm, fe2e = (file_sha256(home / "checkpoints" / name / "model.safetensors") for name in ("tiny-mesm", "tiny-fe2e"))
    record = made_sweep("tiny-mesm", corpus, mesm)
    assert record.data.reference is not None
    reference = replace(record.data.reference, checkpoint="tiny-fe2e", sha256=fe2e)
    records.write_record(home / "records", replace(record, data=replace(record.data, reference=reference)))


def test_measure_here_times_the_sweeps_models_on_this_machine(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_timed_sweep(recorded)
    started: list[list[str]] = []
    monkeypatch.setattr(jobs, "start_job", lambda folder, verb, arguments: started.append([verb, *arguments]))
    monkeypatch.setattr(jobs, "is_running", lambda folder: True)
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm", corpus="noise", axis="measured ms")
    assert "made processor" in texts(page) and page.metric[2].value == "0.45"
    page.button(key="time-here").click().run()
    assert trouble(page) == [] and page.button(key="time-stop"), "a bar with a button that stops it"
    (words,) = started
    assert words[words.index("--top-p") + 1] == "0.2,0.5,1"
    page.button(key="time-stop").click().run()
    assert trouble(page) == [] and page.button(key="time-here") and not (recorded / "jobs" / "time").exists()

    assert main([words[0], *(word for word in words[1:-2])]) == 0, "what the job runs"
    (path,) = (recorded / "records").glob("time_*.json")
    timing = records.read_record(path).data
    own, dense = (timing.ms(sha, p) for sha, p in ((timing.models[1].sha256, 0.5), (timing.models[-1].sha256, None)))
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm", corpus="noise", axis="measured ms")
    assert trouble(page) == [] and page.metric[2].value == f"{own / dense:.2f}"
    assert "made processor" not in texts(page) and timing.timed_on.words() in texts(page).replace("\\", "")
    chart = json.loads(page.get("plotly_chart")[0].proto.spec)["data"]
    assert own in next(trace["x"] for trace in chart if trace.get("name") == "tiny-mesm, noise")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"checkpoint": "tiny-fe2e"}, "choose tiny-mesm with the sweep's weights at the side"),
        ({"weights": "5" * 64}, "choose tiny-mesm with the sweep's weights at the side"),
        ({"sweep_of": CorpusId("noise", "f" * 16)}, "choose the corpus noise@ffffffff at the side"),
        ({"dense": "4" * 64}, "is not on this machine"),
    ],
)
def test_measure_here_says_what_it_needs(recorded: Path, change: dict[str, Any], sentence: str) -> None:
    put_timed_sweep(recorded, change.get("sweep_of", CorpusId("noise")))
    if "weights" in change:
        put_sweep(recorded, sha256=change["weights"])
    if "dense" in change:
        path = next((recorded / "records").glob("sweep_*.json"))
        record = records.read_record(path)
        reference = replace(record.data.reference, sha256=change["dense"])
        records.write_record(recorded / "records", replace(record, data=replace(record.data, reference=reference)))
    if "sweep_of" in change:
        (recorded / "records" / "sweep_tiny-mesm_noise.json").unlink()
    page = open_page("pages/efficiency.py", checkpoint=change.get("checkpoint", "tiny-mesm"), corpus="noise")
    assert trouble(page) == [] and page.button(key="time-here").disabled
    assert sentence in texts(page).replace("\\", "")


def test_results_show_every_view(recorded: Path) -> None:
    page = open_page("pages/results.py", checkpoint="tiny-mesm")
    assert trouble(page) == []
    models = page.dataframe[0].value
    assert models["model"].tolist()[:2] == ["MESM (tiny-fe2e)", "MESM (tiny-mesm), p = 0.5"]
    assert "MulT" in models["model"].tolist() and "chance" in models["model"].tolist()
    assert page.dataframe[1].value["MACs, million"].tolist() == [200.0]
    assert list(models.columns) == ["source", "model", "work", "WAcc", "WAcc 95 %", "F1", "F1 95 %"]
    page.segmented_control(key="columns").set_value("F1 of each emotion").run()
    emotions = page.dataframe[0].value
    assert emotions.columns[-1] == "average" and "WAcc" not in emotions.columns
    assert emotions["average"].tolist()[:2] == models["F1"].tolist()[:2]
    for view, words in (
        ("emotions", "threshold: chosen on the validation split"),
        ("slices", "intervals over speakers"),
        ("mistakes", "by the emotion with the highest score"),
        ("calibration", "Expected calibration error"),
        ("ablation", "as reported by Dai et al."),
        ("splits", "Clips of noise that show each emotion"),
    ):
        page.segmented_control(key="show").set_value(view).run()
        assert trouble(page) == [], view
        assert words in texts(page), view
        if view == "emotions":  # the average has no count, which must not give the others decimals
            shown = page.dataframe[0]
            assert json.loads(shown.proto.columns)["clips"]["type_config"]["format"] == "%d"
            styled = pa.ipc.open_stream(shown.proto.arrow_data.styler.display_values).read_all().to_pydict()
            scores = styled["WAcc"]
            assert scores and all(re.fullmatch(r"\d+\.\d|–", text) for text in scores), scores
    assert page.expander[-1].label == "Model card of tiny-mesm"


def test_results_name_the_command_where_there_is_no_record(home: Path) -> None:
    page = open_page("pages/results.py", checkpoint="tiny-mesm")
    assert any("mesm evaluate tiny-mesm --corpus noise" in info.value.replace("\\", "") for info in page.info)
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert any("There is no sweep yet" in info.value for info in page.info)
    page = open_page("pages/export.py")
    assert any("The basket is empty" in info.value for info in page.info)


def test_a_damaged_record_is_said_and_left_out(recorded: Path) -> None:
    bad = recorded / "records" / "sweep_broken_noise.json"
    bad.write_text("{")
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert len(trouble(page)) == 1 and "is not readable JSON" in trouble(page)[0]
    assert page.metric[0].value == "p = 0.5"


def test_the_menu_and_the_basket(recorded: Path) -> None:
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    assert not [b for b in page.button if b.label == "Add to basket"]  # a closed menu costs one button
    page.session_state["export-sweep"] = True
    page.run()
    add = [b for b in page.button if b.label == "Add to basket"]
    if not add:
        pytest.skip("this harness cannot open a popover")
    add[0].click().run()
    assert len(basket.entries()) == 1
    again = open_page("pages/export.py")
    assert trouble(again) == [] and next(e.command for e in basket.entries().values()) in again.code[0].value
    again.button(key=f"remove-{next(iter(basket.entries()))}").click().run()
    assert basket.entries() == {} and any("The basket is empty" in info.value for info in again.info)


def test_the_export_page_shows_the_basket_and_its_zip(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("pages/efficiency.py", checkpoint="tiny-mesm")
    exhibits = offered(page, monkeypatch)
    assert [e.name.split("-")[0] for e in exhibits] == ["sweep", "work", "spread"]
    for exhibit in exhibits[1:]:
        basket.add(exhibit, ("pdf", "csv"), "acl-column")
    page.switch_page("pages/export.py").run()
    assert trouble(page) == []
    assert [block.value for block in page.code] == [
        f"{e.command} --width acl-column --format pdf" for e in exhibits[1:]
    ]
    key = basket.key_of(exhibits[1])
    page.selectbox(key=f"basket-width-{key}").set_value("ieee-text").run()
    entry = basket.entries()[key]
    assert entry.width == "ieee-text" and entry.forms == ("pdf", "csv")
    item = ExportItem(remake(entry.command), entry.forms, entry.width)
    assert make_zip([item]) == make_zip([ExportItem(exhibits[1], entry.forms, entry.width)])
    page.button(key=f"remove-{key}").click().run()
    assert list(basket.entries()) == [basket.key_of(exhibits[2])]


def same_as_the_command(exhibit: FigureExport, form: str, folder: Path) -> None:
    words = [*exhibit.command.split()[1:], "--format", form, "--width", "acl-column", "--out", str(folder)]
    assert main(words) == 0
    assert (folder / f"{exhibit.name}.{form}").read_bytes() == render(exhibit, form), exhibit.command
    beside = json.loads((folder / f"{exhibit.name}.{form}.json").read_text())
    assert beside["title"] == exhibit.title


@pytest.mark.slow
def test_the_command_makes_the_same_files_of_records(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for exhibit in offered(open_page("pages/efficiency.py", checkpoint="tiny-mesm"), monkeypatch):
        same_as_the_command(exhibit, "csv", tmp_path)
        same_as_the_command(exhibit, "pdf", tmp_path)
    page = open_page("pages/results.py", checkpoint="tiny-mesm")
    found = []
    monkeypatch.setattr(export_menu, "offer", lambda exhibit, key: found.append(exhibit))
    for view in ("models", "emotions", "slices", "mistakes", "calibration", "ablation", "splits"):
        page.segmented_control(key="show").set_value(view).run()
    assert len({e.command for e in found}) == 9
    for exhibit in {e.command: e for e in found}.values():
        same_as_the_command(exhibit, "tex", tmp_path)
        same_as_the_command(exhibit, "csv", tmp_path)


def test_the_command_makes_the_same_files_of_a_case(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = open_page(
        "pages/case_studies.py", checkpoint="tiny-mesm", clip="clip03", p="0.4", look="heat map", layers="L2"
    )
    exhibits = {e.name.split("-")[0]: e for e in offered(page, monkeypatch)}
    case = exhibits["case"]
    assert case.privacy == "blur", "the corpus names no licence that gives its faces away"
    assert "--look heat-map" in case.command and "--layers 2" in case.command and "--top-p 0.4" in case.command
    same_as_the_command(case, "png", tmp_path)
    same_as_the_command(exhibits["scores"], "csv", tmp_path)
    same_as_the_command(exhibits["cost"], "csv", tmp_path)
    assert case.private is not None
    same_as_the_command(case.private("sketch"), "pdf", tmp_path)


@pytest.mark.slow
def test_the_command_makes_the_same_files_of_facs(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = file_sha256(home / "checkpoints" / "tiny-mesm" / "model.safetensors")
    write_records(home / "records", "tiny-mesm", "noise", digest)
    pages = [open_page("pages/facs.py", checkpoint="tiny-mesm", section=name) for name in SECTIONS.values()]
    found = [exhibit for page in pages for exhibit in offered(page, monkeypatch)]
    kinds = [e.command.split()[2] for e in found]
    assert [k for k in kinds if k != "faithfulness"] == [
        "facs", "baselines", "faces", "controls", "controls", "statements",
    ]  # fmt: skip
    assert kinds.count("faithfulness") == 6
    for exhibit in found:
        same_as_the_command(exhibit, "csv" if exhibit.table is not None else "png", tmp_path)
    same_as_the_command(found[0], "pdf", tmp_path)


def test_a_figure_that_cannot_be_made_is_one_sentence(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ("sweep tiny-mesm", "must be CHECKPOINT@CORPUS"),
        ("sweep other@noise", "mesm sweep other --corpus noise"),
        ("table 4 --corpus nowhere", "mesm evaluate"),
        ("table 3", "needs --corpus"),
        ("reliability tiny-mesm@noise --emotion joy", "must be one of"),
        ("sweep tiny-mesm@noise --axis miles", "not wacc over miles"),
        ("case tiny-mesm@noise --clip clip01 --look x-ray", "--look"),
        ("case tiny-mesm@noise --clip clip01 --layers a", "must look like"),
        ("sweep tiny-mesm@noise --width wide", "--width"),
    ):
        assert main(["figure", *words.split()]) == 2, words
        assert said in capsys.readouterr().err, words
