"""High dynamic range against the standard-range picture that it was made from."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc

from mesm.data.ingest import ingest_clip
from mesm.data.ingest.hdr import tone_map
from mesm.data.ingest.video import FrameSampler

#: BT.709 -> BT.2020, linear light (ITU-R BT.2087).
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def hlg_signal(light: np.ndarray) -> np.ndarray:
    """BT.2100's OETF, with SDR's white at 75 % of the signal, where the scene's light is .265."""
    scene = np.maximum(light, 0) * 0.26496256
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


def pq_signal(light: np.ndarray) -> np.ndarray:
    """BT.2100's inverse EOTF, with SDR's white at 203 cd/m2."""
    power = (np.maximum(light, 0) * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


@pytest.mark.parametrize("transfer", [ColorTrc.ARIB_STD_B67, ColorTrc.SMPTE2084])
def test_the_colours_of_the_standard_picture_come_back(astronaut: np.ndarray, transfer: ColorTrc) -> None:
    picture = np.minimum(astronaut, 225)  # brighter light is compressed
    light = np.where(picture / 255 <= 0.04045, picture / 255 / 12.92, ((picture / 255 + 0.055) / 1.055) ** 2.4)
    signal = (hlg_signal if transfer == ColorTrc.ARIB_STD_B67 else pq_signal)(light @ TO_BT2020.T)
    frame = av.VideoFrame.from_ndarray(np.rint(65535 * signal).astype(np.uint16), format="rgb48le")
    frame.color_trc, frame.color_primaries = transfer, ColorPrimaries.BT2020
    result = tone_map(frame, 512, 360).astype(int)
    assert np.abs(result - picture).max() <= 4 and np.abs(result - picture).mean() < 0.6


def test_highlights_stay_apart_and_white_is_white() -> None:
    signal = np.linspace(0, 1, 64)[None, :, None].repeat(3, axis=2)
    frame = av.VideoFrame.from_ndarray(np.rint(65535 * signal).astype(np.uint16), format="rgb48le")
    frame.color_trc = ColorTrc.ARIB_STD_B67
    ramp = tone_map(frame, 64, 1)[0, :, 1].astype(int)
    assert ramp[0] == 0 and ramp[-1] == 255 and np.all(np.diff(ramp) >= 0)
    assert 240 <= ramp[48] <= 250 and ramp[52] > ramp[48]  # SDR's white, and brighter


@pytest.fixture(scope="module")
def films(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same still film as a phone's HDR (HLG, BT.2020, 10 bits) and in standard range."""
    folder = tmp_path_factory.mktemp("films")
    picture = np.minimum(astronaut, 225)
    light = np.where(picture / 255 <= 0.04045, picture / 255 / 12.92, ((picture / 255 + 0.055) / 1.055) ** 2.4)
    signal = np.rint(65535 * hlg_signal(light @ TO_BT2020.T)).astype(np.uint16)
    for name, array, form in (("hdr.mkv", signal, "rgb48le"), ("standard.mkv", picture, "rgb24")):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.width, stream.height = picture.shape[1], picture.shape[0]
            stream.pix_fmt = "gbrp10le" if name == "hdr.mkv" else "bgr0"
            if name == "hdr.mkv":
                stream.codec_context.color_trc = ColorTrc.ARIB_STD_B67
                stream.codec_context.color_primaries = ColorPrimaries.BT2020
            for _ in range(12):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format=form)))
            container.mux(stream.encode(None))
    return folder / "hdr.mkv", folder / "standard.mkv"


def test_a_phones_film_comes_out_as_the_standard_one(films: tuple[Path, Path]) -> None:
    hdr, standard = (ingest_clip(film, "Hello there.") for film in films)
    assert "hdr" in hdr.quality and "hdr" not in standard.quality
    np.testing.assert_allclose(hdr.faces.mean((0, 1, 2)), standard.faces.mean((0, 1, 2)), atol=2)
    assert hdr.faces.std() == pytest.approx(standard.faces.std(), abs=2)


def test_a_preview_is_reduced_before_it_is_mapped(films: tuple[Path, Path]) -> None:
    (_, frame), *_ = FrameSampler(films[0], hdr_px=128)
    assert frame.shape == (90, 128, 3)
