"""The readers of what comes from outside, each with the files to try on it."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mesm.config import (
    FORM_SETTINGS,
    MODEL_CONFIGS,
    ModelConfig,
    RunConfig,
    TrainConfig,
    model_config,
    upgrade_training,
)
from mesm.data.clip_list import list_clips, media_kind
from mesm.data.csv_files import csv_line, parse_csv, read_csv
from mesm.data.features.action_units import openface_set, pyfeat_set, read_action_units
from mesm.data.features.authors import load_plain
from mesm.data.features.words import file_vectors
from mesm.data.importers import manifest_csv, mesm_processed
from mesm.data.importers.headers import read_header
from mesm.data.ingest.child_process import ChildProcess
from mesm.data.ingest.clip import ingest_clip
from mesm.data.ingest.faces import DetectedFace
from mesm.data.ingest.guard import ingest_untrusted, probe_untrusted
from mesm.data.ingest.media import measured_s, open_media
from mesm.data.ingest.text import clean_text, spread_words
from mesm.data.manifest import Manifest, Shard
from mesm.data.safe_pickle import load_plain_pickle
from mesm.data.text_files import read_text, read_transcript
from mesm.errors import MesmError
from mesm.json_form import from_json, read_json, to_json
from mesm.records.base import KINDS, Provenance, data_class, read_record, write_record
from mesm.records.checkpoint import CheckpointMetrics, SplitMetrics, read_metrics
from mesm.records.training_log import EpochReport, read_log
from mesm.training.run_folder import RunFolder
from tests.data.made_clips import grey, speech_like, write_clip, write_sounds
from tests.fuzz.inputs import JSON, TEXTS, changed_bytes, changed_json, of_type, programs

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"


@dataclasses.dataclass(frozen=True)
class Target:
    """One kind of file.

    Attributes:
        file: its name; the reader gets its path, in a folder with nothing else.
        inputs: makes the strategy for its bytes.
        share: of the cases.
        max_seconds: processor time that one file may take.
        max_mb: memory that one file may take.
    """

    file: str
    inputs: Callable[[], st.SearchStrategy[bytes]]
    read: Callable[[Path], object]
    share: float = 0.1
    max_seconds: float = 5.0
    max_mb: int = 256


def each(*readers: Callable[[], object]) -> None:
    """Call every reader, check each refusal, and raise the first of them if none returned."""
    errors: list[MesmError] = []
    for reader in readers:
        try:
            reader()
        except MesmError as error:
            fault = fault_of_sentence(str(error))
            assert fault is None, fault
            errors.append(error)
    if len(errors) == len(readers):
        raise errors[0]


#: Most characters of an error's sentence.
SENTENCE = 600


def fault_of_sentence(text: str) -> str | None:
    """Return what is wrong with the sentence of an error; None for one line of printable text."""
    hidden = [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202a\u202e\u2066"]
    if hidden:
        return f"a sentence with {hidden[0]!r}"
    if not text or len(text) > SENTENCE:
        return f"a sentence of {'more than ' + str(SENTENCE) if text else 'no'} characters"
    return None


# Media


class _OneFace:
    """Stands for MTCNN, which takes a hundred times as long as the decoder: a face in every other picture."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        def face(height: int, width: int) -> DetectedFace:
            box = np.array([-2.0, 0.2 * height, 0.8 * width, height + 1.0])
            return DetectedFace(box, np.full((5, 2), 3.0), 0.99)

        return [[face(*frame.shape[:2])] if i % 2 == 0 else [] for i, frame in enumerate(frames)]


@cache
def media() -> list[bytes]:
    """Small files of the kinds that people bring: H.264, VP8, MPEG-4, Theora; AAC, Opus, MP3, FLAC, PCM; pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder, voice = Path(name), speech_like(0.6, 48_000)
        frames = [grey(level, 32, 48) for level in (40, 90, 140, 190, 240)]
        paths = [
            write_clip(folder / "a.mp4", frames, waveform=voice, rate_hz=48_000, fps=5),
            write_clip(folder / "b.webm", frames, None, voice, rate_hz=48_000, codec="libvpx", audio_codec="libopus"),
            write_clip(folder / "c.avi", frames, codec="mpeg4", waveform=voice, rate_hz=48_000, audio_codec="mp3"),
            write_clip(folder / "d.mkv", frames, waveform=voice, rate_hz=48_000, audio_codec="flac", fps=5),
            write_sounds(folder / "e.wav", voice[:8000], rate_hz=16_000),
            write_sounds(folder / "f.ogg", np.stack([voice, -voice]), codec="libopus", rate_hz=48_000),
            write_sounds(folder / "g.mkv", voice[:4000], voice[:8000], rate_hz=48_000),
        ]
        picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
        for ending in ("png", "jpg", "webp"):
            paths.append(folder / f"h.{ending}")
            Image.fromarray(picture).save(paths[-1])
        return [path.read_bytes() for path in paths]


def read_media(path: Path) -> None:
    def probe() -> None:
        with open_media(path) as container:
            measured_s(container)

    media_kind(path)
    each(
        lambda: ingest_clip(path, "two words", detector=_OneFace()),
        lambda: read_header.__wrapped__(path),
        lambda: ingest_clip(path, "", start_s=0.2, end_s=0.5, detector=_OneFace()),
        probe,
    )


_children: list[ChildProcess] = []


@contextmanager
def no_child_left() -> Iterator[None]:
    """End the decoder that `read_guarded` keeps."""
    try:
        yield
    finally:
        for child in _children:
            child.close()
        _children.clear()


def read_guarded(path: Path) -> None:
    if not _children:
        _children.append(ChildProcess("mesm.data.ingest.guard"))
    ingest_untrusted(path, "two words", decoder=_children[0], timeout_s=60)


def read_guarded_alone(path: Path) -> None:
    probe_untrusted(path)


# JSON


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def manifests() -> st.SearchStrategy[bytes]:
    corpus = _json(ASSETS / "marionette" / "manifest.json")
    small = to_json(Manifest("small", ("anger",), shards=(Shard("shard-00000.parquet", "0" * 64, 3),), complete=True))
    made = of_type(Manifest, schema=st.just(1), capabilities=st.just(["regions"]), name=TEXTS.filter(bool))
    return changed_json([corpus, small]) | made.map(_encoded)


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def read_manifest(path: Path) -> None:
    manifest = Manifest.read(path.parent)
    assert manifest.digest and manifest.clips_digest
    manifest.write(path.parent)
    assert Manifest.read(path.parent) == manifest
    assert manifest.design is None or manifest.design.command is not None


def model_configs() -> st.SearchStrategy[bytes]:
    shipped = [_json(path) for path in sorted(ASSETS.glob("checkpoints/*/config.json"))]
    made = [model_config(name).to_dict() for name in MODEL_CONFIGS]
    typed = [of_type(kind, name=st.just(name)) for name, kind in MODEL_CONFIGS.items()]
    return changed_json([*shipped, *made]) | st.one_of(typed).map(_encoded)


def read_model_config(path: Path) -> None:
    config = ModelConfig.from_stored(read_json(path))
    assert ModelConfig.from_stored(json.loads(json.dumps(config.to_dict()))) == config
    assert all(1 <= config.channels(n) <= 4 * n or n < 4 for n in (64, 512))


def run_configs() -> st.SearchStrategy[bytes]:
    shipped = [_json(path).get("train", {}) for path in sorted(ASSETS.glob("checkpoints/*/metrics.json"))]
    runs = [{"model": model_config().to_dict(), "train": train} for train in (TrainConfig().to_dict(), *shipped)]
    made = of_type(RunConfig, model=st.just(model_config().to_dict()))
    return changed_json(json.loads(json.dumps(runs))) | made.map(_encoded)


def read_run_config(path: Path) -> None:
    run = RunFolder(path.parent).read_config()
    assert RunConfig.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def settings_lines() -> st.SearchStrategy[bytes]:
    """What a command line or the form gives: a name and a text."""
    known = st.sampled_from(sorted({*RunConfig().flat(), *FORM_SETTINGS}))
    names = st.one_of(known, known, known, TEXTS)
    values = (
        TEXTS
        | JSON.map(json.dumps)
        | st.integers(0, 9).map(str)
        | st.sampled_from(["0.5", "0.1,0.1,0.1", "a,b", "[", "9" * 5000, "1e999", "true", "-0.0", "NaN"])
    )
    return st.tuples(names, values).map(_encoded)


def read_settings(path: Path) -> None:
    name, text = _json(path)
    run = RunConfig().with_settings({name: text})
    assert RunConfig.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def metrics() -> st.SearchStrategy[bytes]:
    shipped = [_json(path) for path in sorted(ASSETS.glob("checkpoints/*/metrics.json"))]
    return changed_json(shipped) | st.one_of(of_type(CheckpointMetrics), of_type(SplitMetrics)).map(_encoded)


def read_checkpoint_metrics(path: Path) -> None:
    value = read_metrics(path.parent)
    assert value.seed is None or isinstance(value.seed, int)
    assert all(isinstance(p, float) for p in value.top_p_range)
    assert CheckpointMetrics.from_json(json.loads(json.dumps(value.to_json()))).thresholds == value.thresholds
    if value.train:
        TrainConfig.from_dict(upgrade_training(value.train))


def logs() -> st.SearchStrategy[bytes]:
    rows = [to_json(EpochReport(epoch, 3.2, 50.0, None, 61.5, 12.0, 1e-3)) for epoch in range(3)]
    whole = b"".join(_encoded(row) + b"\n" for row in rows)
    line = changed_json(rows) | of_type(EpochReport).map(_encoded)
    return changed_bytes([whole]) | st.lists(line, max_size=3).map(b"\n".join)


def read_training_log(path: Path) -> None:
    assert all(report.epoch >= 0 for report in read_log(path.parent))


def _brief(value: Any) -> Any:
    """Shorten the lists of clips of a record, so that most changes hit something else than one score of thousands."""
    if isinstance(value, dict):
        return {key: _brief(item) for key, item in list(value.items())[:40]}
    return [_brief(item) for item in value[:6]] if isinstance(value, list) else value


def records() -> st.SearchStrategy[bytes]:
    """Records as they ship (those below 200 kB), all of them shortened, those of schema 1, and made ones of the right types."""
    shipped = [_json(path) for path in sorted(ASSETS.glob("records/*.json"))]
    with zipfile.ZipFile(ROOT / "tests/records/schema_1.zip") as archive:
        earlier = [_brief(json.loads(archive.read(name))) for name in archive.namelist()]
    whole = [record for record in shipped if len(json.dumps(record)) < 200_000]
    kinds = st.sampled_from(sorted(KINDS))
    made = kinds.flatmap(
        lambda kind: st.fixed_dictionaries(
            {
                "kind": st.just(kind),
                "schema": st.sampled_from([2, 2, 2, 1]),
                "provenance": of_type(Provenance, 1),
                "data": of_type(data_class(kind)[0]),
            }
        )
    )
    return st.one_of(
        changed_json(whole), changed_json(list(map(_brief, shipped))), changed_json(earlier), made.map(_encoded)
    )


def read_any_record(path: Path) -> None:
    record = read_record(path)
    assert record.file_name and record.provenance.source and from_json(type(record.data), to_json(record.data))
    again = read_record(write_record(path.parent, record))
    assert to_json(again.data) == to_json(record.data)


# Pickles


@cache
def pickles() -> list[bytes]:
    rng = np.random.default_rng(0)
    values: list[object] = [
        {"Ses01F_impro01_F000": {"text": "one two", "label": "hap"}, "Ses01F_impro01_M001": {"text": "", "label": 3}},
        {"abc_1": {"text": "one", "label": [0, 1, 0, 0, 0, 2.0]}, "abc_2": {"text": "two", "label": np.zeros(6)}},
        {"id": ["a", "b"], "vision": rng.random((2, 3, 35)), "text": rng.random((2, 2)).astype(">f4")},
        [1, 2.5, 1j, None, True, "é", b"x", bytearray(b"y"), {1, 2}, frozenset("a"), (1, (2,)), 10**30],
        np.array(["one", None, np.arange(3)], dtype=object),
        {"scalar": np.float32(0.5), "fortran": np.asfortranarray(rng.random((3, 4))), "words": np.array(["a", "bc"])},
        [[[]] * 50] * 50,
    ]
    return [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4, 5)]


def read_pickle(path: Path) -> None:
    """Read one alone, and where the authors' copies of the corpora have it."""

    def release(folder: str) -> None:
        (path.parent / folder).mkdir()
        shutil.copy(path, path.parent / folder / "meta.pkl")
        mesm_processed.read_release(path.parent / folder)

    each(
        lambda: load_plain_pickle(path, max_bytes=2_000_000, max_seconds=3),
        lambda: load_plain(path),
        lambda: release("IEMOCAP_RAW_PROCESSED"),
        lambda: release("MOSEI_RAW_PROCESSED"),
    )


# Texts and tables

_TABLES = [
    b'path,text\na.mp4,one\nb.mp4,"two, three"\n',
    b"path;transcript;anger;happiness\na.mp4;eins;0;1\nb.mp4;zwei;1.5;\n",
    "Path\tText\tspeaker\tsplit\na.mp4\tdéjà vu\tS1\tdev\n".encode("utf-16"),
    b'sep=|\nfile|sentence|start_s|end_s\na.mp4|"line\nbreak"|0|2.5\n',
    b',path,text\r\n0,a.mp4,don\x92t\r\n1,=cmd|x!A0,"say ""no"""\r\n',
    b'{"path": "a.mp4", "text": "one", "anger": 1}\n{"path": "b.mp4", "anger": null}\n',
]
_OPENFACE, _PYFEAT = (kind.columns for kind in (openface_set(), pyfeat_set()))
_UNITS = [
    ("frame, face_id, timestamp, success, x_0, y_0, x_1, y_1, " + ", ".join(_OPENFACE) + "\n").encode()
    + f"1, 0, 0.0, 1, 10, 10, 50, 60{', 0.5' * len(_OPENFACE)}\n".encode()
    + f"1, 1, 0.0, 1, 1, 1, 9, 9{', 4.5' * len(_OPENFACE)}\n2, 0, 0.5, 0, 1, 1, 2, 2{', ' * len(_OPENFACE)}\n".encode(),
    ("frame,FaceRectWidth,FaceRectHeight,FaceScore,Identity," + ",".join(_PYFEAT) + "\n").encode()
    + f"0,50,60,.99,P0{',.1' * len(_PYFEAT)}\n15,40,,.5,P1{',' * len(_PYFEAT)}\n15,9,9,nan,P0{',1e400' * len(_PYFEAT)}\n".encode(),
]
_WORD_FILES = [b"2 3\nwell 1 2 3\n. . . 4 5 6\n", b"well 4 5 6\nyou 1e3 nan x\n"]
_TEXTS_SEEN = [
    "I don’t know\n".encode(),
    b"d\xe9j\xe0 vu \x85",
    "Well, \U0001f600 \u202eno".encode("utf-16"),
    b"a\0b\0",
    b"",
]


def _rows_of_anything() -> st.SearchStrategy[bytes]:
    cell = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.sampled_from(
        [b"path", b"text", b"AU01_r", b"timestamp", b'"', b'"a,b"', b"'", b"1", b"-1e400", b"nan", b"anger"]
    )
    row = st.tuples(st.sampled_from([b",", b";", b"\t", b"|"]), st.lists(cell, max_size=6)).map(
        lambda pair: pair[0].join(pair[1])
    )
    return st.tuples(st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(row, max_size=5)).map(lambda p: p[0].join(p[1]))


def read_table(path: Path) -> None:
    def table() -> None:
        read = read_csv(path, {"path": ("file",), "text": ("sentence",)})
        rows = [row for row in read.rows if not row.error]
        text = csv_line(read.columns) + "".join(csv_line(row.cells.values()) for row in rows)
        again = parse_csv(text, path)
        assert len(again.rows) <= len(rows)
        read.good_rows()

    each(table, lambda: list_clips(path), lambda: manifest_csv.read_release(path))


def read_units(path: Path) -> None:
    read = read_action_units(path)
    assert np.isfinite(read.values).all()


def read_words(path: Path) -> None:
    def transcript() -> None:
        line = clean_text(read_transcript(path.with_suffix(".mp4")))
        assert "\n" not in line and line.encode() is not None
        words = spread_words(line, 3.0)
        assert all(0 <= word.start_s <= word.end_s <= 3.0 + 1e-9 for word in words)

    def vectors() -> None:
        read, _ = file_vectors(path)
        read(["well", "you", "."])

    each(lambda: read_text(path), transcript, vectors)


TARGETS: dict[str, Target] = {
    "media": Target("clip", lambda: changed_bytes(media(), 1), read_media, 0.19, 20.0, 600),
    "guarded": Target("clip", lambda: changed_bytes(media(), 1), read_guarded, 0.01, 60.0, 256),
    "guarded_alone": Target("clip", lambda: changed_bytes(media(), 1), read_guarded_alone, 0.0005, 60.0, 256),
    "manifest": Target("manifest.json", manifests, read_manifest, 0.1),
    "model_config": Target("config.json", model_configs, read_model_config, 0.1),
    "run_config": Target("config.json", run_configs, read_run_config, 0.1),
    "settings": Target("setting.json", settings_lines, read_settings, 0.05),
    "metrics": Target("metrics.json", metrics, read_checkpoint_metrics, 0.05),
    "log": Target("metrics.jsonl", logs, read_training_log, 0.03),
    "records": Target("record.json", records, read_any_record, 0.12),
    "pickle": Target("meta", lambda: st.one_of(programs(), changed_bytes(pickles(), 1)), read_pickle, 0.15, 15.0, 1500),
    "table": Target("clips.csv", lambda: changed_bytes(_TABLES) | _rows_of_anything(), read_table, 0.05),
    "action_units": Target("units.csv", lambda: changed_bytes(_UNITS) | _rows_of_anything(), read_units, 0.03),
    "text": Target("words.txt", lambda: changed_bytes(_TEXTS_SEEN + _WORD_FILES) | st.binary(), read_words, 0.0195),
}
