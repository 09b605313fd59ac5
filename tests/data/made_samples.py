"""Samples of any shape the contract allows, without decoding anything."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mesm.batch import Sample, Truth, Word

LABELS = ("anger", "fear", "happiness")


def make_sample(
    clip_id: str = "clip",
    *,
    seed: int = 0,
    frames: int = 3,
    chunks: int = 4,
    large_px: int = 8,
    units: int | None = None,
    optional: bool = True,
    labels: dict[str, float] | None = None,
    **fields: object,
) -> Sample:
    """`units`: number of action units of the ground truth, None for no truth; `optional` False leaves arrays empty."""
    rng = np.random.default_rng(seed)

    def real(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def byte(*shape: int) -> np.ndarray:
        return rng.integers(0, 256, shape, dtype=np.uint8)

    more: dict[str, object] = {}
    if optional:
        more = {
            "faces_large": byte(frames if large_px else 0, max(large_px, 1), max(large_px, 1), 3),
            "face_times_s": np.arange(frames, dtype=np.float32) / 2,
            "face_boxes": real(frames, 4),
            "face_points": np.where(rng.random((frames, 5, 2)) < 0.2, np.nan, real(frames, 5, 2)).astype(np.float32),
            "face_found": rng.random(frames) < 0.5,
        }
    if units is not None:
        more["truth"] = Truth(
            au_numbers=tuple(range(1, units + 1)),
            au_intensity=real(frames, units),
            au_emotion_intensity=real(frames, units),
            au_region=byte(frames, units, 48, 48),
            head=byte(frames, 48, 48),
            landmarks=real(frames, 68, 2),
            pose=real(frames, 3),
            informative={"text": False, "visual": True},
            displays={"visual": {"fear": 0.85}} if units else {},
            prosody={"pitch": 1.5, "rate": -0.25} if units else {},
            extra={"voice": "en", "pitch": [1.5, None], "nested": {"ü": "→"}},
        )
    return Sample(
        clip_id=clip_id,
        text=str(fields.pop("text", "some text")),
        faces=byte(frames, 48, 48, 3),
        mel=rng.normal(-3, 2, (chunks, 128, 32)).astype(np.float16),
        duration_s=frames / 2,
        labels=labels,
        **{**more, **fields},  # type: ignore[arg-type]
    )


def assert_same(a: Sample, b: Sample) -> None:
    """Equal in every field, arrays in dtype, shape and value."""
    for (key, one), other in zip(vars(a).items(), vars(b).values(), strict=True):
        if key == "truth" and one is not None and other is not None:
            for (name, x), y in zip(vars(one).items(), vars(other).values(), strict=True):
                _assert_equal(f"truth.{name}", x, y)
        else:
            _assert_equal(key, one, other)


def _assert_equal(name: str, one: object, other: object) -> None:
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray) and one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, err_msg=name, strict=True)
    else:
        assert one == other, name


#: Any storable sample; its clip_id is to be replaced.
samples = st.builds(
    make_sample,
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(0, 3),
    chunks=st.integers(0, 3),
    large_px=st.sampled_from([0, 1, 5]),
    units=st.sampled_from([None, 0, 2]),
    optional=st.booleans(),
    labels=st.none() | st.fixed_dictionaries({name: st.floats(0, 3) for name in LABELS}),
    text=st.text(),
    speaker=st.sampled_from(["", "A", "ß"]),
    split=st.sampled_from(["train", "valid", "test", ""]),
    quality=st.sampled_from([(), ("no_face", "silence")]),
    media=st.sampled_from(["", "media/a b.mp4"]),
    words=st.lists(
        st.builds(Word, st.text(max_size=5), st.floats(0, 9), st.floats(0, 9), st.booleans()), max_size=3
    ).map(tuple),
)
