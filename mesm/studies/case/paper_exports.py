"""Build the paper's Figures 3 and 4 with captions, commands and provenance: `mesm figure six` and `mesm figure mel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from shlex import quote

import numpy as np

from mesm.batch import Sample
from mesm.errors import DataError
from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport
from mesm.figures.privacy import private_faces
from mesm.figures.tables import Row, Table
from mesm.json_form import Json
from mesm.records.prediction import Prediction
from mesm.studies.case.exports import clip_option
from mesm.studies.case.paper_figures import plot_mel, plot_six
from mesm.studies.case.six import FRAMES, ShownFace


@dataclass(frozen=True)
class SixChoice:
    """Hold what chooses the faces of Figure 3, as the options of its command do.

    Attributes:
        pins: emotion -> clip, and second of the face or None.
        frame: one of `six.FRAMES`.
    """

    top_p: float
    seed: int = 0
    pins: Mapping[str, tuple[str, float | None]] | None = None
    frame: str = "apex"

    @property
    def options(self) -> str:
        """Return the options of the command."""
        pins = "".join(
            f" --pin {quote(f'{emotion}={clip}' + ('' if second is None else f':{second:g}'))}"
            for emotion, (clip, second) in (self.pins or {}).items()
        )
        frame = f" --frame {self.frame}" if self.frame != "apex" else ""
        return f" --top-p {self.top_p:g} --seed {self.seed}{frame}{pins}"


def export_six(
    faces: Sequence[ShownFace], choice: SixChoice, origin: Mapping[str, Json], privacy: str, labels: Sequence[str] = ()
) -> FigureExport:
    """Return the paper's Figure 3: a face per emotion and the sites that each layer keeps on it.

    Args:
        labels: of the checkpoint; those without a face are named in the caption.
    """
    missing = [label for label in labels if label not in {shown.emotion for shown in faces}]
    apart = f" No clip that is scored right: {', '.join(missing)}." if missing else ""
    shares = [
        f"L{number + 1} {np.mean([shown.layers[number].kept[shown.number].mean() for shown in faces]):.0%}".replace(
            "%", " %"
        )
        for number in range(len(faces[0].layers))
    ]
    clips: list[Json] = [shown.sample.clip_id for shown in faces]
    seconds: list[Json] = [round(shown.time_s, 3) for shown in faces]
    source = {name: value for name, value in origin.items() if name != "corpus_key"}
    hidden = [
        replace(shown, sample=private_faces(shown.sample, privacy)) if privacy != "none" else shown for shown in faces
    ]
    return FigureExport(
        name=f"six-{origin['checkpoint']}-p{choice.top_p:g}-s{choice.seed}",
        title="Kept sites on a face of each emotion (Figure 3)",
        caption=(
            f"One clip per emotion that {origin['checkpoint']} scores right. Left: the frame "
            f"({FRAMES[choice.frame]} where not pinned); then, in red, the sites that each attention layer keeps at "
            f"p = {choice.top_p:g} (mean share: {', '.join(shares)}).{apart} After Dai et al. (2021), Figure 3."
        ),
        command=f"mesm figure six {_target(origin)}{choice.options} --privacy {privacy}",
        origin={**source, "clip_ids": clips, "seconds": seconds, "n": len(faces), "top_p": choice.top_p},
        draw=partial(plot_six, hidden),
        table=_faces_table(faces),
        cites=_cites(origin),
        privacy=privacy,
        private=lambda other: export_six(faces, choice, origin, other, labels),
    )


def _faces_table(faces: Sequence[ShownFace]) -> Table:
    """Return the clips that are shown, with the share of the sites that each layer keeps on the face."""
    layers = range(len(faces[0].layers))
    rows = tuple(
        Row(
            (
                f.emotion,
                f.sample.clip_id,
                f.sample.text,
                f.time_s,
                *(float(f.layers[n].kept[f.number].mean()) for n in layers),
            )
        )
        for f in faces
    )
    return Table(("emotion", "clip", "words", "second", *(f"L{n + 1} kept" for n in layers)), rows, digits=2)


def export_mel(sample: Sample, prediction: Prediction, origin: Mapping[str, Json]) -> FigureExport:
    """Return the paper's Figure 4: the highest tenth of a clip's mel values, and the sites that each layer keeps.

    Raises:
        DataError: the clip has no sound, or the model no attention on it.
    """
    layers = prediction.layers.get("acoustic", ())
    if not len(sample.mel) or not layers:
        raise DataError(f"clip {sample.clip_id} has no spectrogram with attention; choose a clip with sound and a MESM")
    shares = ", ".join(f"L{n + 1} {100 * layer.share:.0f} %" for n, layer in enumerate(layers))
    source = {name: value for name, value in origin.items() if name != "corpus_key"}
    return FigureExport(
        name=f"mel-{sample.clip_id}-{origin['checkpoint']}-p{prediction.top_p:g}",
        title=f"Kept sites on the spectrogram of clip {sample.clip_id} (Figure 4)",
        caption=(
            f"Mel spectrogram of “{sample.text}”, low frequencies at the bottom; only the highest 10 % of its values are "
            f"drawn. Red points: sites that each attention layer of {origin['checkpoint']} keeps at p = "
            f"{prediction.top_p:g} ({shares}). After Dai et al. (2021), Figure 4."
        ),
        command=f"mesm figure mel {_target(origin)} {clip_option(sample.clip_id)} --top-p {prediction.top_p:g}",
        origin={**source, "split": sample.split, "n": 1, "clip_ids": [sample.clip_id], "top_p": prediction.top_p},
        draw=partial(plot_mel, sample, layers),
        cites=_cites(origin),
    )


def _target(origin: Mapping[str, Json]) -> str:
    return quote(f"{origin['checkpoint']}@{origin.get('corpus_key') or origin['corpus']}")


def _cites(origin: Mapping[str, Json]) -> tuple[str, ...]:
    return (PAPER, *corpus_cites(str(origin["corpus"])))
