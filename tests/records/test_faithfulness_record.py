"""The record of the faithfulness tests: its round trip and the shipped one's numbers."""

from __future__ import annotations

from pathlib import Path

from mesm.estimate import Estimate
from mesm.records.base import CorpusId, Record, new_provenance, read_record, write_record
from mesm.runtime import assets
from tests.figures.facs_records_made import faithfulness_record


def test_a_record_reads_as_it_was_written(tmp_path: Path) -> None:
    record = Record("faithfulness", new_provenance(CorpusId("noise"), "tiny"), faithfulness_record())
    assert read_record(write_record(tmp_path, record)) == record


def test_the_shipped_record_keeps_its_numbers() -> None:
    (path,) = (assets() / "records").glob("faithfulness_marionette-mesm_*.json")
    data = read_record(path).data
    visual = data.shuffled_text.branches["visual"].accuracy
    assert (visual.own, visual.shuffled, visual.cost) == (70.0, 70.444, Estimate(-0.444, -3.04, 2.12))
    assert data.keep_only.branches["visual"].nucleus_gain == Estimate(0.3656, 0.3298, 0.3987)
    assert data.order.branches["acoustic"]["L3"].insertion_gain == Estimate(0.0338, -0.0098, 0.07)
    assert data.control.control == "moment_matched"
    assert data.control.branches["visual"].accuracy.control == Estimate(41.02, 31.27, 50.79)
    assert data.sufficient_p.quartiles == (0.1, 0.35, 0.85)
    assert data.loudness is not None and data.loudness.layers[2].kept_share == Estimate(0.2368, 0.2321, 0.2416)
    assert [len(source.text_lift or ()) for source in data.neutral_text.sources] == [3, 3, 3]
