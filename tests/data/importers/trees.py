"""Small releases of the true layouts: real little videos and sounds, the file formats, and the traps."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from tests.data.made_clips import write_clip

LEFT_HZ, RIGHT_HZ = 400.0, 3000.0
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe[1.0 - 2.0]\tSes"


def wave(seconds: float, frequency_hz: float, rate_hz: int) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def write_wav(path: Path, seconds: float, rate_hz: int = 16_000, channels: Sequence[float] = (LEFT_HZ,)) -> Path:
    """A tone per channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave(seconds, f, rate_hz) for f in channels], axis=1), rate_hz)
    return path


def write_divx(path: Path, frames: Sequence[np.ndarray], fps: int = 10) -> Path:
    """MPEG-4 part 2 with B-frames in an AVI, tagged DIVX, as IEMOCAP's videos are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=fps, options={"bf": "2", "g": "12", "qscale": "3"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.codec_tag = "DIVX"
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def face_video(
    path: Path, face: np.ndarray, seconds: float, *, fps: int = 5, sound: bool = True, **more: object
) -> Path:
    """A face that stands still, with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waveform = wave(seconds, LEFT_HZ, 44_100) if sound else None
    return write_clip(path, [face] * round(seconds * fps), waveform=waveform, fps=fps, last_ms=1000 // fps, **more)  # type: ignore[arg-type]


def copied(source: Path, *targets: Path) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


IEMOCAP_LINES = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[0.5000 - 1.6000]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()
[2.0000 - 3.1000]\tSes01F_impro01_M000\tang\t[1.5000, 4.0000, 4.5000]
C-F1:\tAnger;\t(angry: [1.0 - 2.0])
[3.2000 - 4.0000]\tSes01F_impro01_F001\txxx\t[2.0000, 3.0000, 3.0000]
[4.0000 - 5.0000]\tSes01F_impro01_M001\tfru\t[2.0000, 3.0000, 3.0000]
[5.0000 - 5.6000]\tSes01F_impro01_F002\texc\t[4.0000, 4.0000, 3.0000]
[5.5000 - 9.9000]\tSes01F_impro01_M002\tsad\t[4.0000, 4.0000, 3.0000]
[5.0000 - 5.6000]\tSes01F_impro01_M003\tsur\t[4.0000, 4.0000, 3.0000]
"""
IEMOCAP_TEXT = (
    b"Ses01F_impro01_F000 [000.5000-001.6000]: Excuse me.\n"
    b"Ses01F_impro01_M000 [002.0000-003.1000]: No: I said \x93no\x94: it's over.\r\n"
    b"Ses01F_impro01_F001 [003.2000-004.0000]: Well.\n"
    b"M: [LAUGHTER]\n"
    b"Ses01F_impro01_M001 [004.0000-005.0000]: \xa1Ol\xe9!\n"
    b"Ses01F_impro01_FXX0 [005.0000-005.2000]: [BREATHING]\n"
    b"Ses01F_impro01_M002 [005.5000-009.9000]: Too late.\n"
    b"Ses01F_impro01_M003 [005.0000-005.6000]: Oh!\n"
)


def iemocap(root: Path, left: np.ndarray, right: np.ndarray) -> Path:
    """Two sessions; `left` and `right` are the halves of the split screen."""
    release = root / "IEMOCAP_full_release"
    screen = np.concatenate([left, right], axis=1)
    # The screen darkens from second to second, so that a frame tells its time.
    frames = [(screen * (1 - 0.08 * (i // 10))).astype(np.uint8) for i in range(60)]
    dialog = release / "Session1" / "dialog"
    name = "Ses01F_impro01"
    write_divx(dialog / "avi" / "DivX" / f"{name}.avi", frames)
    write_wav(dialog / "wav" / f"{name}.wav", 6.0, channels=(LEFT_HZ, RIGHT_HZ))
    texts = {"EmoEvaluation": IEMOCAP_LINES.encode(), "transcriptions": IEMOCAP_TEXT}
    for kind, content in texts.items():
        (dialog / kind).mkdir()
        (dialog / kind / f"{name}.txt").write_bytes(content)
        (dialog / kind / f"._{name}.txt").write_bytes(APPLE_DOUBLE)
    (dialog / "avi" / "DivX" / f"._{name}.avi").write_bytes(APPLE_DOUBLE)
    # Session 5: a dialogue filmed from the man's side, without its wav but with the sentence's; another without video.
    dialog = release / "Session5" / "dialog"
    copied(release / "Session1/dialog/avi/DivX" / f"{name}.avi", dialog / "avi" / "DivX" / "Ses05M_script01_1b.avi")
    write_wav(release / "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M000.wav", 1.1)
    for kind in texts:
        (dialog / kind).mkdir()
    lines = {
        "Ses05M_script01_1b": "[1.0000 - 2.1000]\tSes05M_script01_1b_M000\thap\t[4, 4, 4]\n"
        "[2.1000 - 3.0000]\tSes05M_script01_1b_F000\thap\t[4, 4, 4]\n",
        "Ses05M_impro02": "[1.0000 - 2.1000]\tSes05M_impro02_F000\tsad\t[4, 4, 4]\n",
    }
    for dialogue, evaluation in lines.items():
        (dialog / "EmoEvaluation" / f"{dialogue}.txt").write_text(evaluation)
        names = [line.split("\t")[1] for line in evaluation.splitlines()]
        transcript = "".join(f"{utterance} [001.0000-002.1000]: Yes.\n" for utterance in names)
        (dialog / "transcriptions" / f"{dialogue}.txt").write_text(transcript)
    return release


MOSEI_HEAD = "HITId,Input.VIDEO_ID,Input.CLIP," + ",".join(
    f"Answer.{name}" for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
)


def mosei(root: Path, face: np.ndarray) -> Path:
    """Videos `-a_b` (clips 0, 1, 2, 10), `v2` (segmented) and `v3`; several raters, ties, misaligned clips."""
    face_video(root / "Videos/Full/Combined/-a_b.mp4", face, 6.0)
    write_wav(root / "Audio/Full/WAV_16000/-a_b.wav", 6.0, rate_hz=44_100)
    face_video(root / "Videos/Segmented/Combined/v2_0.mp4", face, 1.2)
    copied(root / "Videos/Segmented/Combined/v2_0.mp4", root / "Videos/Segmented/Combined/v2_1.mp4")
    (root / "Videos/Segmented/Combined/._v2_0.mp4").write_bytes(APPLE_DOUBLE)
    (root / "Videos/Segmented/Combined/v3_0.mp4").write_bytes(b"")
    texts = root / "Transcript" / "Segmented" / "Combined"
    texts.mkdir(parents=True)
    (texts / "-a_b.txt").write_bytes(
        b"-a_b___0___0.5___1.7___It\x92s a ___ gap\n"
        b"-a_b___1___2.0___1.0___Backwards\n"
        b"-a_b___2___5.0___9.0___Beyond the end\n"
        b"-a_b___10___3.0___4.0___one two three four five six seven eight nine ten eleven\n"
        b"-a_b___11___4.0___5.0___Nobody rated this\n"
        b"-a_b___12___4.5___5.5___   \n"
        b"broken line\n"
    )
    (texts / "v2.txt").write_text("v2___0___10.0___11.2___A segment\nv2___1___20.0___29.0___Too short a segment\n")
    (texts / "v3.txt").write_text("v3___0___0.0___1.0___An empty file\nv3___1___1.0___2.0___No file\n")
    (texts / "._v2.txt").write_bytes(APPLE_DOUBLE)
    rows = {
        ("-a_b", "0"): ("0,0,0,1,0,0", "0,0,0.33,0,,N/A", "3,0,0,0,0,0"),
        ("-a_b", "1"): ("1,0,0,0,0,0",),
        ("-a_b", "2"): ("1,0,0,0,0,0",),
        ("-a_b", "10"): ("1,0,0,0,0,0",),
        ("-a_b", "12"): ("1,0,0,0,0,0",),
        ("-a_b", "13"): ("1,0,0,0,0,0",),
        ("v2", "0"): ("0,0,0,0,0,0", "0,0,0,0,0,0"),
        ("v2", "1"): ("1,0,0,0,0,0",),
        ("v3", "0"): ("1,0,0,0,0,0",),
        ("v3", "1"): ("1,0,0,0,0,0",),
    }
    (root / "Labels").mkdir()
    body = "".join(f"h,{video},{clip},{rating}\n" for (video, clip), ratings in rows.items() for rating in ratings)
    (root / "Labels" / "batch.csv").write_text("\ufeff" + MOSEI_HEAD + "\n" + body, encoding="utf-8")
    (root / "Labels" / "other.csv").write_text("a,b\n1,2\n")
    return root


def processed(root: Path, face: np.ndarray, meta: dict[str, dict[str, object]], corpus: str) -> Path:
    """The authors' copy of one corpus: 3 pictures at 2 a second (MOSEI), or 36 at 30 (IEMOCAP), and 1.2 s of sound."""
    import pickle

    folder = root / f"{corpus.upper()}_RAW_PROCESSED"
    folder.mkdir(parents=True)
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))
    for name in meta:
        clip = folder / name if corpus == "mosei" else folder / name.rpartition("_")[0] / name
        clip.mkdir(parents=True)
        for side in ("",) if corpus == "mosei" else ("L", "R"):
            write_wav(
                clip / f"audio{'_' if side else ''}{side}.wav", 1.2, channels=(RIGHT_HZ if side == "R" else LEFT_HZ,)
            )
            for i in range(3 if corpus == "mosei" else 36):
                # Brightness tells the number of the picture, and the side.
                level = 1 - 0.02 * i
                picture = face[:, ::-1] if side == "R" else face
                prefix = f"image_{side}_" if side else "image_"
                Image.fromarray((picture * level).astype(np.uint8)).save(clip / f"{prefix}{i}.jpg", quality=95)
    return root


def lists(folder: Path, **splits: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        (folder / f"{split}_split.txt").write_text("".join(f"{name}\n" for name in splits.get(split, ())))
    return folder


def meld(root: Path, face: np.ndarray) -> Path:
    """Numbers start again in every split; quotes of cp1252 read as Latin-1; a broken clip, a missing one."""
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
    row = '{n},"{text}",{who},{emotion},neutral,{d},{u},8,21,"00:16:16,059","00:16:17,059"\n'
    rows = {
        "train": [
            ("I\x92m fine, \x93really\x94", "Joey", "joy", 0, 0),
            ("Broken", "Ross", "anger", 125, 3),
            ("Gone", "Ross", "fear", 9, 9),
        ],
        "dev": [("So?", "Rachel", "surprise", 0, 0)],
        "test": [("Yes.", "Chandler", "neutral", 0, 0), ("", "Monica", "sadness", 0, 1)],
    }
    folders = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    face_video(root / "train_splits" / "dia0_utt0.mp4", face, 1.2)
    one = root / "train_splits" / "dia0_utt0.mp4"
    copied(one, root / "dev_splits_complete/dia0_utt0.mp4", root / "output_repeated_splits_test/dia0_utt0.mp4")
    copied(one, root / "output_repeated_splits_test/dia0_utt1.mp4")
    (root / "train_splits" / "dia125_utt3.mp4").write_bytes(one.read_bytes()[:300])
    (root / "output_repeated_splits_test" / "._dia0_utt0.mp4").write_bytes(APPLE_DOUBLE)
    for split, lines in rows.items():
        body = "".join(
            row.format(n=i, text=text, who=who, emotion=emotion, d=d, u=u)
            for i, (text, who, emotion, d, u) in enumerate(lines)
        )
        (root / f"{split}_sent_emo.csv").write_text(head + body, encoding="utf-8")
    assert folders
    return root


def ravdess(root: Path, face: np.ndarray) -> Path:
    one = face_video(root / "Video_Speech_Actor_01" / "Actor_01" / "01-01-05-02-01-01-01.mp4", face, 1.2)
    folder = one.parent
    for name in ("01-01-02-01-01-01-01", "02-01-05-02-01-01-01", "01-02-01-01-02-01-02"):
        copied(one, folder / f"{name}.mp4")
    copied(one, root / "Actor_03" / "01-01-08-01-02-02-03.MP4")
    write_wav(folder / "03-01-05-02-01-01-01.wav", 1.0)
    (folder / "._01-01-05-02-01-01-01.mp4").write_bytes(APPLE_DOUBLE)
    return root


def crema_d(root: Path, face: np.ndarray) -> Path:
    (root / "VideoFlash").mkdir(parents=True)
    one = write_clip(root / "VideoFlash" / "1001_DFA_ANG_XX.flv", [face] * 6, fps=5, codec="flv1", last_ms=200)
    copied(
        one,
        *(root / "VideoFlash" / f"{name}.flv" for name in ("1002_IEO_HAP_HI", "1003_TSI_NEU_XX", "1076_MTI_SAD_XX")),
    )
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1076_MTI_SAD_XX", "1004_WSI_FEA_LO"):
        write_wav(root / "AudioWAV" / f"{name}.wav", 1.2)
    return root
