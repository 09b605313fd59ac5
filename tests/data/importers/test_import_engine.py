"""Interrupted, killed, given hostile files, divided anew: the counts add up and nothing is stored twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.audit import audit_splits
from mesm.data.importers import engine, find_release, workers
from mesm.data.importers.decode import Outcome, Settings, make_outcomes
from mesm.data.importers.plan import MediaSpan, Release, Utterance
from mesm.data.importers.report import dry_run, dry_run_text
from mesm.data.importers.resplit import resplit
from mesm.data.ingest.faces import DetectedFace
from mesm.data.sources import SourceSpan, read_sources
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from tests.data.importers import trees
from tests.data.made_clips import grey, held_upright, huge_video, tone, write_clip
from tests.data.made_samples import assert_same


@pytest.fixture(scope="module")
def grey_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small, without a face: quick to make."""
    return write_clip(tmp_path_factory.mktemp("grey") / "clip.mp4", [grey(90)] * 6, waveform=tone(0.6), fps=10)


def release_of(clips: int, path: Path, **fields: object) -> Release:
    utterances = tuple(
        Utterance(
            f"c{i:03d}", f"words {i}", MediaSpan(path), labels={"fear": 1.0}, speaker=f"s{i % 7}", dialogue=f"d{i // 3}"
        )
        for i in range(clips)
    )
    return Release("many", ("fear",), tuple(replace(u, **fields) for u in utterances), "speaker")  # type: ignore[arg-type]


def run(release: Release, out: Path, **options: object) -> engine.ImportReport:
    settings = Settings(large_px=0)
    return engine.import_release(
        release, out.parent, out, settings=settings, progress=False, **{"workers": 0, **options}
    )  # type: ignore[arg-type]


def test_interrupted_and_gone_on_with(grey_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = release_of(70, grey_clip)
    whole = run(release, tmp_path / "whole")
    assert whole.utterances == 70 == whole.stored and whole.flags["no_face"] == 70 and whole.stored_before == 0
    plain = engine.run_here

    def dying(chunks: Sequence[Sequence[Utterance]], settings: Settings) -> Iterator[Outcome]:
        yield from plain(chunks[:8], settings)
        yield from plain([chunks[8][:3]], settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run_here", dying)
    with pytest.raises(KeyboardInterrupt):
        run(release, tmp_path / "parts")
    assert len(Corpus(tmp_path / "parts")) == 64 and not Corpus(tmp_path / "parts").manifest.complete
    with (tmp_path / "parts" / "sources.jsonl").open("a") as sources:
        sources.write('{"id": "c06')  # a killed run can leave half a line
    monkeypatch.setattr(engine, "run_here", plain)
    report = run(release, tmp_path / "parts")
    assert report.stored_before == 64 and report == replace(whole, stored_before=64)
    one, other = Corpus(tmp_path / "whole"), Corpus(tmp_path / "parts")
    assert one.ids() == other.ids() == tuple(f"c{i:03d}" for i in range(70))
    assert [s.sha256 for s in one.manifest.shards] == [s.sha256 for s in other.manifest.shards]
    assert list(read_sources(other.folder)) == list(one.ids()), "no line twice, in the order of the clips"
    assert run(release, tmp_path / "parts").stored_before == 70, "a third run has nothing to do"
    with pytest.raises(DataError, match="another meta"):
        run(release, tmp_path / "parts", seed=1)


def test_the_sources_of_a_shard_are_on_disk_before_it(
    grey_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[int] = []
    plain = CorpusWriter._write_shard

    def watched(writer: CorpusWriter) -> None:
        known.append(len(read_sources(writer.folder)))
        plain(writer)

    monkeypatch.setattr(CorpusWriter, "_write_shard", watched)
    run(release_of(70, grey_clip), tmp_path / "out")
    assert known == [64, 70]


class _Killer(MediaSpan):
    """Unpickling it ends the process: a file that breaks the decoder, as far as the pool can see."""

    def __reduce__(self) -> tuple[object, tuple[int, int]]:
        return _die, (os.getpid(), signal.SIGKILL)


def _die(parent: int, how: int) -> MediaSpan:
    if os.getpid() != parent:
        os.kill(os.getpid(), how)
    return MediaSpan(Path("x"))


@pytest.mark.slow  # every process that ends is followed by one that imports everything again
def test_a_file_that_ends_its_process_costs_only_itself(
    grey_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CHUNK", 2)
    release = release_of(4, grey_clip)
    bad = replace(release.utterances[2], video=_Killer(grey_clip))
    release = replace(release, utterances=(*release.utterances[:2], bad, release.utterances[3]), splits="random")
    report = run(release, tmp_path / "out", workers=1)
    assert report.stored == 3 and report.quarantined == {"broke_decoder": 1}
    row = json.loads((tmp_path / "out" / "quarantine.jsonl").read_text())
    assert row["id"] == "c002"
    # Processes give what this process gives.
    alone = run(replace(release, utterances=release_of(4, grey_clip).utterances), tmp_path / "alone")
    assert alone.stored == 4
    assert_same(
        replace(Corpus(tmp_path / "out")["c003"], split=""), replace(Corpus(tmp_path / "alone")["c003"], split="")
    )


def test_a_process_that_ends_at_its_start_blames_no_clip(
    grey_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(workers, "_pool", lambda count: ProcessPoolExecutor(count, spawn, os._exit, (1,)))
    with pytest.raises(DataError, match=r"ends at its start, before any clip; free memory, or .* --workers 0"):
        run(release_of(3, grey_clip), tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "quarantine.jsonl").read_text()


def test_hostile_files(grey_clip: Path, left_half: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "wëird path"
    folder.mkdir()
    one = trees.face_video(folder / "whole.mp4", left_half, 2.0)
    data = one.read_bytes()
    files: dict[str, tuple[str, bytes | None]] = {
        "truncated.mp4": ("broken_video", data[: len(data) // 2]),
        "empty.mp4": ("broken_video", b""),
        "text.mp4": ("broken_video", b"this is no video at all " * 9),
        "sound.mp4": ("no_frames", None),
        "mute.mp4": ("no_audio", None),
        "renamed.avi": ("", data),
        "one_fps.mp4": ("", None),
        "fast.mp4": ("", None),
        "turned.mp4": ("", None),
        "huge.avi": ("too_large", None),
        "bomb.png": ("broken_video", png_of(65_000, 65_000)),
        "large.png": ("too_large", png_of(9000, 9000)),
        "playlist.m3u8": ("broken_video", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    }
    for name, (_, content) in files.items():
        if content is not None:
            (folder / name).write_bytes(content)
    write_clip(folder / "sound.mp4", waveform=tone(1.0))
    write_clip(folder / "mute.mp4", [grey(90)] * 6)
    write_clip(folder / "one_fps.mp4", [grey(90)] * 2, fps=1, last_ms=1000, waveform=tone(2.0))
    write_clip(
        folder / "fast.mp4", [grey(90)] * 240, times_ms=[i * 4 for i in range(240)], waveform=tone(1.0), last_ms=4
    )
    trees.face_video(folder / "turned.mp4", np.rot90(left_half), 2.0)
    held_upright(folder / "turned.mp4", left_half.shape[1])
    huge_video(folder / "huge.avi")
    table = folder / "clips.csv"
    table.write_text("path,text,fear\n" + "".join(f"{name},hello,1\n" for name in files), encoding="utf-8")
    release = find_release("manifest", table)
    report = run(release, folder / "out")
    rows = [json.loads(line) for line in (folder / "out" / "quarantine.jsonl").read_text().splitlines()]
    result = {row["video"]: row["reason"] for row in rows}
    assert result == {name: reason for name, (reason, _) in files.items() if reason}
    assert report.utterances == len(files) == report.stored + len(rows)
    corpus = Corpus(folder / "out")
    assert [len(corpus[clip_id].faces) for clip_id in corpus.ids()] == [4, 4, 2, 4]
    straight, *_, turned = corpus.iterate()
    assert turned.face_found.all(), "the face stands upright in what is stored"
    np.testing.assert_allclose(turned.face_boxes, straight.face_boxes, atol=3)
    assert np.abs(turned.faces.astype(int) - straight.faces).mean() < 8
    kept = run_incomplete(release, folder / "incomplete")
    assert kept.stored == 6 and {"no_video", "no_audio"} <= kept.flags.keys()


class _Blind:
    """Finds no face, at once."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        return [[] for _ in frames]


@pytest.mark.slow
def test_whatever_is_damaged_ends_in_a_reason(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = list(rng.integers(0, 255, (8, 48, 64, 3), dtype=np.uint8))
    whole = {
        "mp4": write_clip(tmp_path / "a.mp4", noise, waveform=tone(0.8)).read_bytes(),
        "mkv": write_clip(tmp_path / "a.mkv", noise, waveform=tone(0.8)).read_bytes(),
        "avi": write_clip(
            tmp_path / "a.avi", noise, waveform=tone(0.8), codec="mpeg4", audio_codec="pcm_s16le"
        ).read_bytes(),
    }
    utterances = []
    for number in range(90):
        kind = list(whole)[number % 3]
        data = bytearray(whole[kind])
        for place in rng.integers(0, (700, len(data))[number % 2], 6):  # half of them in the head, where sizes stand
            data[place : place + 4] = (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", rng.bytes(4))[
                rng.integers(4)
            ]
        path = tmp_path / f"{number}.{kind}"
        path.write_bytes(data)
        utterances.append(Utterance(f"c{number}", "words", MediaSpan(path)))
    outcomes = make_outcomes(utterances, Settings(large_px=0), _Blind())
    assert [outcome.id for outcome in outcomes] == [utterance.id for utterance in utterances]
    assert all((outcome.sample is None) != (outcome.problem is None) for outcome in outcomes)
    stored = sum(outcome.sample is not None for outcome in outcomes)
    assert 10 < stored < 85, "some are beyond use, some are not"


def png_of(width: int, height: int) -> bytes:
    """A picture that claims a size and holds next to nothing."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + size, b"IDAT" + zlib.compress(bytes(99)), b"IEND"]
    whole = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def test_names_and_texts_that_are_no_unicode(grey_clip: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")  # a byte that is no UTF-8
    (tmp_path / odd).mkdir()
    (tmp_path / odd / "a.mp4").write_bytes(grey_clip.read_bytes())
    rows = [
        {"path": f"{odd}/a.mp4", "text": "half a \ud800 character", "speaker": "s", "fear": 1},
        {"path": f"{odd}/{odd}.mp4", "text": "not there", "fear": 1},
        {"path": "x" * 5000, "text": "no such name can be", "fear": 1},
        {"path": "nul\0.mp4", "text": "\0", "fear": 1},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = run(find_release("manifest", tmp_path / "m.jsonl"), tmp_path / "out", rule="random")
    assert report.stored == 1 and report.quarantined == {"missing_video": 1, "broken_video": 1, "empty_text": 1}
    corpus = Corpus(tmp_path / "out")
    assert corpus["a_1"].text == "half a character" and corpus["a_1"].speaker == "s"
    sources = read_sources(corpus.folder)
    assert sources["a_1"].video == SourceSpan(f"{odd}/a.mp4"), "the name can still be found again"
    again = resplit(tmp_path / "out", tmp_path / "again", "random")
    assert read_sources(again.folder) == sources


def run_incomplete(release: Release, out: Path) -> engine.ImportReport:
    settings = Settings(large_px=0, keep_incomplete=True)
    return engine.import_release(release, out.parent, out, settings=settings, workers=0, progress=False)


def test_too_long_and_too_large(grey_clip: Path, tmp_path: Path) -> None:
    settings = Settings(large_px=0, max_minutes=0.005)
    release = release_of(3, grey_clip)
    report = dry_run(release, rule="random", settings=settings, progress=False)
    assert report.quarantined == {"too_long": 3} and report.usable == 0 and "too_long" in dry_run_text(report)
    with pytest.raises(DataError, match=r"nothing of .* could be stored"):
        engine.import_release(
            release, tmp_path, tmp_path / "x", rule="own", settings=settings, workers=0, progress=False
        )
    assert len((tmp_path / "x" / "quarantine.jsonl").read_text().splitlines()) == 3


def test_divided_anew_and_audited(grey_clip: Path, tmp_path: Path) -> None:
    run(release_of(40, grey_clip), tmp_path / "a", rule="random")
    leaks = audit_splits(Corpus(tmp_path / "a"), contents=False)
    assert leaks.dialogues is not None and leaks.dialogues["train-test"].shared > 0 and not leaks.clean
    again = resplit(tmp_path / "a", tmp_path / "b", "dialogue", 3)
    report = audit_splits(again, contents=False)
    assert report.dialogues and all(pair.shared == 0 for pair in report.dialogues.values())
    assert read_sources(tmp_path / "b").keys() == set(again.ids()) and len(again) == 40
    assert main(["corpus", "split", str(tmp_path / "a"), str(tmp_path / "c"), "--splits", "speaker:s3"]) == 0
    assert {row.speaker for row in Corpus(tmp_path / "c").index if row.split == "test"} == {"s3"}


def test_flags_of_long_texts(grey_clip: Path, tmp_path: Path) -> None:
    release = release_of(3, grey_clip, text="word " * 60)
    assert run(release, tmp_path / "a", count_tokens=lambda text: len(text.split())).flags["text_cut"] == 3
    assert "text_cut" not in run(release, tmp_path / "b", count_tokens=lambda text: 50).flags


@pytest.mark.slow
def test_command_line(grey_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.csv").write_text("path,text,fear\n" + f"{grey_clip},hello,1\n" * 4)
    command = ["corpus", "import", "manifest", str(tmp_path / "m.csv"), str(tmp_path / "out"), "--workers", "0"]
    assert main([*command, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "4 utterances found, 4 can be stored" in shown and "estimate" in shown and not (tmp_path / "out").exists()
    assert main(command) == 0
    assert "4 utterances found, 4 stored" in capsys.readouterr().out
    named = [*command[:4], str(tmp_path / "named"), "--workers", "0", "--name", "mine", "--licence", "CC0-1.0"]
    assert main(named) == 0
    manifest = Corpus(tmp_path / "named").manifest
    assert (manifest.name, manifest.meta["licence"], "citation" in manifest.meta) == ("mine", "CC0-1.0", False)
    assert main([*command[:3], "nowhere.csv", "out"]) == 2
    assert main([*command, "--part", "mosei"]) == 2
    with pytest.raises(ConfigError, match="engine is 'dask'"):
        run(release_of(1, grey_clip), tmp_path / "x", engine="dask")
    assert workers.run_here([], Settings()) is not None
