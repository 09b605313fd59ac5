"""Camera and microphone of a real browser: a fake device that shows a file, a picture and a recording, a score."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.app.browser import FACES, ROOT, open_page, picture, said, settle, with_flags

pytestmark = pytest.mark.slow
CLIP = ROOT / "assets" / "marionette" / "media" / "m0-00259.mp4"
SIZE = (640, 480)


def write_camera(path: Path, face: bool) -> None:
    """A Y4M video of the clip's face on grey, or of grey alone."""
    with av.open(str(CLIP)) as clip, path.open("wb") as out:
        out.write(b"YUV4MPEG2 W%d H%d F15:1 Ip A1:1 C420jpeg\n" % SIZE)
        for frame in list(clip.decode(video=0))[:15]:
            image = Image.new("RGB", SIZE, (120, 120, 120))
            if face:
                image.paste(frame.to_image().resize((480, 480)), (80, 0))
            planes = av.VideoFrame.from_image(image).reformat(format="yuv420p").to_ndarray()
            out.write(b"FRAME\n" + planes.tobytes())


def write_microphone(path: Path) -> None:
    """The clip's voice."""
    resampler = av.AudioResampler("s16", "mono", 48000)
    with av.open(str(CLIP)) as clip, wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 48000, 0, "NONE", ""))
        for frame in clip.decode(audio=0):
            for part in resampler.resample(frame):
                out.writeframes(part.to_ndarray().tobytes())


def record(browser: Any, address: str) -> Any:
    """A page on which a picture was taken, two seconds were recorded, and the clip was scored."""
    page = open_page(browser, f"{address}/try_a_clip?checkpoint=marionette-mesm&corpus=marionette")
    page.get_by_text("camera and microphone").last.click()
    settle(page)
    # Before the camera delivers, the button is there and takes nothing.
    page.wait_for_function("() => [...document.querySelectorAll('video')].some(video => video.videoWidth > 0)")
    page.get_by_role("button", name="Take Photo").click()
    page.get_by_role("button", name="Clear photo").wait_for()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Stop recording").click()
    settle(page)
    page.get_by_role("textbox", name="Transcript").last.fill("I had a wonderful time with you in Chicago.")
    page.keyboard.press("Control+Enter")
    settle(page)
    page.get_by_role("button", name="Score this clip").last.click()
    said(page, "your clip")
    return page


@pytest.mark.parametrize("face", [True, False])
def test_a_picture_and_a_recording_are_scored(chromium: Any, address: str, tmp_path: Path, face: bool) -> None:
    write_camera(tmp_path / "camera.y4m", face)
    write_microphone(tmp_path / "voice.wav")
    with with_flags(
        chromium,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}",
        f"--use-file-for-fake-audio-capture={tmp_path / 'voice.wav'}",
    ) as browser:
        page = record(browser, address)
        assert np.ptp(picture(page, FACES)) > 100
        said(page, "Voice: L1 keeps")
        no_face = page.get_by_text("No face was detected")
        assert no_face.count() == (0 if face else 1)
        assert page.get_by_text("the sound is silent").count() == 0
