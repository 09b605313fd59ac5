"""Measure the effect of emotive texts on faces that show no emotion.

Two effects are measured side by side. Where the kept sites move towards the regions of the text's emotion, the text
guides the attention, which is intended. Where the face branch's scores follow the text, they leak through the mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import Sample
from mesm.data.known_truth import NeutralFaceSet, emotion_prototypes, read_neutral_faces, render_neutral_faces
from mesm.estimate import Estimate
from mesm.models import Prepared
from mesm.records.faithfulness import NeutralTexts, TextOnNeutral
from mesm.statistics import Speakers
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress, prepare

#: A face is neutral if the emotional part of every action unit's intensity is below this.
NEUTRAL_BELOW = 0.02
#: Most faces of one person, so that no person outweighs the others.
FACES_PER_PERSON = 8
#: Texts of each emotion that are collected.
TEXTS_PER_LABEL = 30
#: Faces that are computed together.
_BATCH = 32
#: Resamples of the AUC's and the text lift's intervals.
_DRAWS = 500


@dataclass(frozen=True)
class NeutralFaceSource:
    """Hold faces that show no emotion, and the regions of each label's emotion on them.

    Attributes:
        source: whose faces these are, in words.
        faces: N samples without sound.
        people: (N,) names.
        regions: (faces of all samples, E, 48, 48) in [0, 1], or None where they are not known.
    """

    source: str
    faces: tuple[Sample, ...]
    people: np.ndarray
    regions: np.ndarray | None


def texts_on_neutral(
    clips: EvaluationClips, render: int = 0, *, seed: int = 0, progress: Progress | None = None
) -> NeutralTexts:
    """Measure the effect of emotive texts on every source of neutral faces.

    Args:
        render: number of people outside the training split to render, where possible.
    """
    if "visual" not in clips.branches:
        return NeutralTexts("", (), "the checkpoint has no face branch")
    texts, known_from = texts_by_label(clips)
    missing = [name for name, of_label in zip(clips.labels, texts, strict=True) if not of_label]
    if missing:
        return NeutralTexts("", (), f"no text of these clips names {', '.join(missing)}")
    sources = tuple(
        text_on_neutral(clips, faces, texts, seed=seed, progress=progress)
        for faces in neutral_sources(clips, render=render)
    )
    if not sources:
        return NeutralTexts("", (), "the corpus has no face that shows no emotion, and none can be rendered for it")
    return NeutralTexts(known_from, sources)


def texts_by_label(clips: EvaluationClips) -> tuple[list[list[str]], str]:
    """Return texts of the split that name each label, and how that is known: from the rendering, else from the labels.

    The whole split is searched, however few of its clips are tested, until each label has `TEXTS_PER_LABEL`.
    """
    rendered_texts: list[list[str]] = [[] for _ in clips.labels]
    labelled_texts: list[list[str]] = [[] for _ in clips.labels]
    rendered = False
    for row in clips.corpus.index:
        if row.text not in clips.vectors or row.split != clips.split:
            continue
        if all(len(texts) >= TEXTS_PER_LABEL for texts in (rendered_texts if rendered else labelled_texts)):
            break
        if len(row.present) == 1 and row.present[0] in clips.labels:
            labelled_texts[clips.labels.index(row.present[0])].append(row.text)
        truth = clips.corpus.read(row.clip_id).truth
        if truth is not None and truth.displays:
            rendered = True
            for name in set(truth.displays.get("text", {})) & set(clips.labels):
                rendered_texts[clips.labels.index(name)].append(row.text)
    if rendered:
        return rendered_texts, "texts that name the emotion"
    return labelled_texts, "texts of clips with this label alone"


def neutral_sources(clips: EvaluationClips, *, render: int = 0) -> Iterator[NeutralFaceSource]:
    """Return every kind of face without emotion that the corpus offers.

    Args:
        render: number of people outside the training split to render, if the corpus was rendered and the extra that
            renders is installed.
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


def _own_neutral_clips(clips: EvaluationClips) -> NeutralFaceSource | None:
    """Return the clips of the split whose face shows no emotion: by the renderer's truth, else by the labels."""
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
    return NeutralFaceSource(
        source, tuple(faces), np.array(people), np.concatenate(regions) if len(regions) == len(faces) else None
    )


def _of_arrays(clips: EvaluationClips, arrays: NeutralFaceSet, source: str) -> NeutralFaceSource:
    text, silent = clips.rows[0].text, np.zeros((0, 128, 32), np.float16)
    kept: list[int] = []
    for person in dict.fromkeys(arrays.speaker.tolist()):
        kept += np.flatnonzero(arrays.speaker == person)[:FACES_PER_PERSON].tolist()
    faces = tuple(Sample(f"neutral{i}", text, arrays.image[i : i + 1], silent, 0.5) for i in kept)
    same = tuple(clips.labels) == tuple(clips.corpus.labels)
    regions = arrays.region[kept].astype(np.float32) / 255 if same else None
    return NeutralFaceSource(source, faces, arrays.speaker[kept], regions)


@torch.no_grad()
def text_on_neutral(
    clips: EvaluationClips,
    neutral: NeutralFaceSource,
    texts: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextOnNeutral:
    """Measure the face branch's scores and kept sites with one text of each emotion beside every neutral face.

    Args:
        texts: E lists of texts, one text per face is drawn from each.
    """
    count, rng = len(clips.labels), np.random.default_rng(seed)
    scores: list[np.ndarray] = []
    on_regions: list[list[np.ndarray]] = []
    first_segment = 0
    for start in range(0, len(neutral.faces), _BATCH):
        faces = neutral.faces[start : start + _BATCH]
        prepared = prepare(clips.predictor, faces, clips.vectors)
        regions = None
        if neutral.regions is not None:
            segments = int(prepared.counts["visual"].sum())
            regions = neutral.regions[first_segment : first_segment + segments]
            first_segment += segments
        outputs = [
            _with_texts(clips, prepared, [of_label[int(rng.integers(len(of_label)))] for _ in faces], regions)
            for of_label in texts
        ]
        scores.append(np.stack([score_BE for score_BE, _ in outputs], 1))
        on_regions.append([np.stack(layer, 1) for layer in zip(*(shares for _, shares in outputs), strict=True)])
        if progress is not None:
            progress(start + len(faces), len(neutral.faces))
    scores_FTE, people = np.concatenate(scores), neutral.people
    is_text_label = np.tile(np.eye(count, dtype=bool), (len(neutral.faces), 1))
    auc, per_label = Speakers(np.repeat(people, count), _DRAWS).mean_auc(scores_FTE.reshape(-1, count), is_text_label)
    lifts = tuple(text_lift(np.concatenate(layer), people) for layer in zip(*on_regions, strict=True))
    return TextOnNeutral(
        source=neutral.source,
        faces=int(sum(len(sample.faces) for sample in neutral.faces)),
        people=len(set(people.tolist())),
        auc=auc,
        auc_per_label=dict(zip(clips.labels, per_label, strict=True)),
        auc_within_face=Speakers(people).mean(within_face_auc(scores_FTE)),
        text_lift=lifts or None,
    )


def _with_texts(
    clips: EvaluationClips, prepared: Prepared, texts: Sequence[str], regions_SEHW: np.ndarray | None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the face branch's (B, E) scores with these texts and, per layer, (B, E) shares of kept sites on regions."""
    visual = clips.predictor.config.modalities.index("visual")
    output = clips.predictor.attention_model.finish(prepared, clips.top_p, trace=True, query_BD=clips.queries(texts))
    scores = torch.sigmoid(output.modality_logits_BME[:, visual].float()).cpu().numpy()[:, list(clips.columns)]
    if regions_SEHW is None:
        return scores.astype(np.float64), []
    counts = prepared.counts["visual"].cpu()
    kept = [layer.kept_SHW.float().cpu() for layer in output.layers["visual"]]
    return scores.astype(np.float64), [_share_on_regions(layer, regions_SEHW, counts) for layer in kept]


def within_face_auc(scores_FTE: np.ndarray) -> np.ndarray:
    """Return the (F,) probability that a label's score is higher with its own text than with another; ties half."""
    own_F1E = np.einsum("fee->fe", scores_FTE)[:, None]
    won = (own_F1E > scores_FTE) + 0.5 * (own_F1E == scores_FTE)
    labels = scores_FTE.shape[1]
    return (won.sum((1, 2)) - 0.5 * labels) / max(labels * (labels - 1), 1)


def _share_on_regions(kept_SHW: Tensor, regions_SEHW: np.ndarray, counts_B: Tensor) -> np.ndarray:
    """Return the (B, E) share of a clip's kept sites on each region, mean over its faces."""
    share = kept_SHW / kept_SHW.sum((1, 2), keepdim=True).clamp(min=1)
    grid = F.adaptive_avg_pool2d(torch.from_numpy(regions_SEHW), (kept_SHW.shape[1], kept_SHW.shape[2]))
    on_SE = torch.einsum("shw,sehw->se", share, grid)
    return torch.stack([part.mean(0) for part in on_SE.split(counts_B.tolist())]).numpy()


def text_lift(share_FTE: np.ndarray, people: np.ndarray) -> Estimate:
    """Estimate the mean over emotions of the share on the own region with the own text over that with other texts.

    Args:
        share_FTE: (F, E, E) share of the kept sites of each face, with each text, on each emotion's region.
    """
    speakers, count = Speakers(people, _DRAWS), share_FTE.shape[1]
    sums_G = np.stack([speakers.sums(column)[0] for column in share_FTE.reshape(len(share_FTE), -1).T], 1)
    off = ~np.eye(count, dtype=bool)

    def statistic(times_RG: np.ndarray) -> np.ndarray:
        sums_RTE = (times_RG @ sums_G).reshape(-1, count, count)
        other_RE = np.where(off, sums_RTE, 0).sum(1) / max(count - 1, 1)
        ratio_RE = np.einsum("ree->re", sums_RTE) / other_RE
        known = np.isfinite(ratio_RE)
        return np.where(known, ratio_RE, 0).sum(1) / known.sum(1)

    return speakers.estimate(statistic)
