"""Does the text speak through the mask? Emotive texts beside faces that show nothing.

If the face branch's scores follow the text there, the mask has told it; if the kept sites lean to the regions that the
text's emotion would move, the text guides. The two are measured side by side: to guide is wanted, to tell is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import Sample
from mesm.data.known_truth import NeutralFaceSet, emotion_prototypes, read_neutral_faces, render_neutral_faces
from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, prepare
from mesm.studies.faithfulness.intervals import Estimate, auc_estimate, group_weights, mean_estimate

#: A face shows nothing while every unit's emotional part stays below this.
NEUTRAL_BELOW = 0.02
#: Faces of one person at most, so that nobody outweighs the others.
FACES_PER_PERSON = 8
TEXTS_PER_LABEL = 30


@dataclass(frozen=True)
class NeutralFaces:
    """Faces that show no emotion, and where each label's emotion would move them.

    Attributes:
        source: whose faces these are, in words.
        faces: N samples without sound.
        people: (N,) names.
        regions: (faces of all samples, E, 48, 48) in [0, 1], or None where nobody knows them.
    """

    source: str
    faces: tuple[Sample, ...]
    people: np.ndarray
    regions: np.ndarray | None


def texts_by_label(clips: Clips) -> tuple[list[list[str]], str]:
    """Texts of the split that name each label, and how that is known: from the rendering, else from the labels.

    The whole split is asked, however few of its clips are tested, until each label has `TEXTS_PER_LABEL`.
    """
    told: list[list[str]] = [[] for _ in clips.labels]
    guessed: list[list[str]] = [[] for _ in clips.labels]
    rendered = False
    for row in clips.corpus.index:
        if row.text not in clips.vectors or row.split != clips.split:
            continue
        if all(len(texts) >= TEXTS_PER_LABEL for texts in (told if rendered else guessed)):
            break
        if len(row.present) == 1 and row.present[0] in clips.labels:
            guessed[clips.labels.index(row.present[0])].append(row.text)
        truth = clips.corpus.read(row.clip_id).truth
        if truth is not None and truth.displays:
            rendered = True
            for name in set(truth.displays.get("text", {})) & set(clips.labels):
                told[clips.labels.index(name)].append(row.text)
    return (told, "texts that name the emotion") if rendered else (guessed, "texts of clips with this label alone")


def neutral_sources(clips: Clips, *, render: int = 0) -> Iterator[NeutralFaces]:
    """Every kind of face without emotion that the corpus offers.

    Args:
        render: render this many people outside the training split, if the corpus was rendered and the extra is there.
    """
    own = _own_neutral_clips(clips)
    if own is not None:
        yield own
    rendered = render_neutral_faces(clips.corpus, render, FACES_PER_PERSON)
    if rendered is not None:
        yield _of_arrays(clips, rendered, "rendered faces of people outside the training split")
    stored = read_neutral_faces(clips.corpus)
    if stored is not None:
        yield _of_arrays(clips, stored, "neutral faces of the training split's people, stored beside the corpus")


def _own_neutral_clips(clips: Clips) -> NeutralFaces | None:
    """Clips of the split whose face shows no emotion: by the renderer's truth, else by the labels."""
    faces, people, regions, rendered = [], [], [], False
    prototypes = emotion_prototypes(clips.corpus)
    for row in clips.rows:
        sample = clips.corpus.read(row.clip_id)
        truth = sample.truth
        if not len(sample.faces) or not sample.face_found.all():
            continue
        if truth is not None:
            rendered = True
            if truth.au_emotion_intensity.max(initial=0) >= NEUTRAL_BELOW:
                continue
            column = {number: a for a, number in enumerate(truth.au_numbers)}
            units = [[column[n] for n in prototypes.get(name, {}) if n in column] for name in clips.labels]
            if all(units):
                regions.append(np.stack([truth.au_region[:, u].max(1) for u in units], 1).astype(np.float32) / 255)
        elif row.labels is None or set(row.present) - {"neutral"}:
            continue
        faces.append(replace(sample, mel=sample.mel[:0], truth=None))
        people.append(row.group)
    if not faces:
        return None
    source = "clips of this split whose face shows no emotion" if rendered else "clips of this split without an emotion"
    return NeutralFaces(
        source, tuple(faces), np.array(people), np.concatenate(regions) if len(regions) == len(faces) else None
    )


def _of_arrays(clips: Clips, found: NeutralFaceSet, source: str) -> NeutralFaces:
    text, silent = clips.rows[0].text, np.zeros((0, 128, 32), np.float16)
    kept: list[int] = []
    for who in dict.fromkeys(found.speaker.tolist()):
        kept += np.flatnonzero(found.speaker == who)[:FACES_PER_PERSON].tolist()
    faces = tuple(Sample(f"neutral{i}", text, found.image[i : i + 1], silent, 0.5) for i in kept)
    same = tuple(clips.labels) == tuple(clips.corpus.labels)
    regions = found.region[kept].astype(np.float32) / 255 if same else None
    return NeutralFaces(source, faces, found.speaker[kept], regions)


@torch.no_grad()
def text_on_neutral(
    clips: Clips,
    neutral: NeutralFaces,
    texts: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every face asked with one text of each emotion: do the face branch's scores, does the mask follow?

    Returns:
        `auc`: of the text's emotion from the face branch's score of it, over all faces and texts, mean over the
        emotions, .5 = no leak, with its interval over people; `auc_within_face`: the same comparison within one face,
        which sees smaller leaks; `text_lift` per layer: kept sites on the text's own regions over the same regions
        under the other texts, 1 = the text does not guide; None where the regions are not known.
    """
    model, rng = clips.predictor.attention_model, np.random.default_rng(seed)
    visual = clips.predictor.config.modalities.index("visual")
    count = len(clips.labels)
    scores_FTE = np.zeros((len(neutral.faces), count, count))
    landed: list[list[np.ndarray]] = []
    first = 0
    for start in range(0, len(neutral.faces), 32):
        some = neutral.faces[start : start + 32]
        prepared = prepare(clips.predictor, some, clips.vectors)
        segments = int(prepared.counts["visual"].sum())
        regions = neutral.regions[first : first + segments] if neutral.regions is not None else None
        first += segments
        per_text = []
        for t in range(count):
            query = clips.queries([texts[t][int(rng.integers(len(texts[t])))] for _ in some])
            output = model.finish(prepared, clips.top_p, trace=True, query_BD=query)
            scores = torch.sigmoid(output.modality_logits_BME[:, visual].float()).cpu().numpy()
            scores_FTE[start : start + len(some), t] = scores[:, list(clips.columns)]
            if regions is not None:
                kept = [layer.kept_SHW.float().cpu() for layer in output.layers["visual"]]
                per_text.append([_landed(k, regions, prepared.counts["visual"].cpu()) for k in kept])
        if per_text:
            landed.append([np.stack([of[layer] for of in per_text], 1) for layer in range(len(per_text[0]))])
        if progress is not None:
            progress(min(start + 32, len(neutral.faces)), len(neutral.faces))
    lifts = [_text_lift(np.concatenate(part), neutral.people) for part in zip(*landed, strict=True)]
    pooled = scores_FTE.reshape(-1, count)
    named = np.tile(np.eye(count, dtype=bool), (len(neutral.faces), 1))
    auc, each = auc_estimate(pooled, named, np.repeat(neutral.people, count))
    return {
        "source": neutral.source,
        "faces": int(sum(len(sample.faces) for sample in neutral.faces)),
        "people": len(set(neutral.people.tolist())),
        "auc": auc,
        "auc_per_label": dict(zip(clips.labels, each, strict=True)),
        "auc_within_face": mean_estimate(_within_face(scores_FTE), neutral.people),
        "text_lift": lifts or None,
    }


def _within_face(scores_FTE: np.ndarray) -> np.ndarray:
    """(F,) share of comparisons, label e's score under its own text against another text, that go to its own."""
    own_F1E = np.einsum("fee->fe", scores_FTE)[:, None]
    won = (own_F1E > scores_FTE) + 0.5 * (own_F1E == scores_FTE)
    labels = scores_FTE.shape[1]
    return (won.sum((1, 2)) - 0.5 * labels) / max(labels * (labels - 1), 1)


def _landed(kept_SHW: Tensor, regions_SEHW: np.ndarray, counts_B: Tensor) -> np.ndarray:
    """(B, E) share of a clip's kept sites on each region, mean over its faces."""
    share = kept_SHW / kept_SHW.sum((1, 2), keepdim=True).clamp(min=1)
    grid = F.adaptive_avg_pool2d(torch.from_numpy(regions_SEHW), (kept_SHW.shape[1], kept_SHW.shape[2]))
    on_SE = torch.einsum("shw,sehw->se", share, grid)
    return torch.stack([part.mean(0) for part in on_SE.split(counts_B.tolist())]).numpy()


def _text_lift(landed_FTE: np.ndarray, people: np.ndarray) -> Estimate:
    """Mean over the emotions of (own region under its own text) / (the same region under the other texts)."""
    count = landed_FTE.shape[1]
    off = ~np.eye(count, dtype=bool)

    def lift(weights_RF: np.ndarray) -> np.ndarray:
        mean_RTE = np.einsum("rf,fte->rte", weights_RF, landed_FTE)
        own_RE = np.einsum("ree->re", mean_RTE)
        other_RE = np.where(off, mean_RTE, 0).sum(1) / max(count - 1, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.nanmean(own_RE / other_RE, axis=1)

    drawn = lift(group_weights(people, 500))
    low, high = np.percentile(drawn[np.isfinite(drawn)], [2.5, 97.5])
    value = float(lift(np.ones((1, len(people))))[0])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}
