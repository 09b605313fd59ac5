"""Plan the trainings that lead to a model of a corpus: stages, computed for every corpus alike from what it holds.

A recipe is `mesm` (a dense model, a sparse one from it, and the guidance that the corpus can feed), `fe2e` (the dense
model alone) or `paper` (the paper's settings). `recipe_run.py` trains its stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from mesm.config import (
    MODEL_SETTINGS,
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    DistillationConfig,
    FE2EConfig,
    MESMConfig,
    NeutralFacesConfig,
    RunConfig,
    TrainConfig,
)
from mesm.config.starts import ANY_P, DISTILLATION, PAPER, PAPER_TRAIN, SCORE, SMALL, SMALL_TRAIN, TEXT_GUIDED
from mesm.data.action_unit_files import has_unit_files
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.estimate import counted
from mesm.json_form import Json, from_json
from mesm.vocabulary import CAPABILITIES, MODALITIES, NEUTRAL_QUERY, RECIPES, SIZES


@dataclass(frozen=True)
class CorpusFacts:
    """Hold what a recipe depends on.

    Attributes:
        modalities: those that some training clip has, in the order of `vocabulary.MODALITIES`.
        capabilities: among `vocabulary.CAPABILITIES`; none where the truth is hidden.
        rendered: whether the corpus was generated, not recorded.
        unit_files: whether a detector's action units lie beside the clips (`data.action_unit_files`).
    """

    labels: tuple[str, ...]
    modalities: tuple[str, ...] = MODALITIES
    capabilities: tuple[str, ...] = ()
    rendered: bool = False
    unit_files: bool = False

    @classmethod
    def of(cls, corpus: Corpus) -> CorpusFacts:
        """Read the facts of a corpus.

        Raises:
            ConfigError: it has no labels, or its training clips have neither words, faces nor a voice.
        """
        if not corpus.labels:
            raise ConfigError(f"corpus {corpus.name!r} has no labels to train on; import it with its label file")
        train = [row for row in corpus.index if row.split == "train"] or corpus.index
        stored = {
            "text": any(row.text.strip() for row in train),
            "visual": any(row.n_frames for row in train),
            "acoustic": any(row.n_chunks for row in train),
        }
        modalities = tuple(name for name in MODALITIES if stored[name])
        if not modalities:
            raise ConfigError(f"the training clips of corpus {corpus.name!r} are empty; import it again")
        # A corpus of known design has everything; an exported part may lie without the files.
        known = CAPABILITIES if "design" in corpus.capabilities else corpus.capabilities
        return cls(
            tuple(corpus.labels), modalities, tuple(known), corpus.manifest.design is not None, has_unit_files(corpus)
        )


@dataclass(frozen=True)
class Guidance:
    """Hold the objectives beside the label loss that a corpus can feed; those that it cannot have the weight 0.

    Attributes:
        text_guided: whether the attention can be guided by the emotion that the text names, in a stage of its own.
        left_out: one line per objective that lacks its targets.
    """

    auxiliary: AuxiliaryTargetsConfig
    attention: AttentionSupervisionConfig
    neutral: NeutralFacesConfig
    distillation: DistillationConfig
    text_guided: bool
    left_out: tuple[str, ...]


def choose_guidance(facts: CorpusFacts, *, frozen_text: bool = True) -> Guidance:
    """Decide by the capabilities of a corpus which objectives guide a MESM: the one place that does.

    Args:
        frozen_text: whether the text encoder is frozen, which neutral faces under emotive texts need.
    """
    lacking: list[str] = []

    def has(objective: str, *needed: str, but: str = "") -> bool:
        missing = [name.replace("_", " ") for name in needed if name not in facts.capabilities]
        reason = f"no known {', '.join(missing)}" if missing else but
        lacking.extend([f"{objective}: {reason}"] if reason else [])
        return not reason

    no_face = "" if "visual" in facts.modalities else "no faces"
    trained = "" if frozen_text else "they need a frozen text encoder"
    auxiliary = AuxiliaryTargetsConfig()
    if has("auxiliary targets", "action_units", "prosody", "displays"):
        auxiliary = SMALL_TRAIN.auxiliary
    regions = has("attention on the regions of active units", "action_units", "regions", but=no_face)
    read = facts.unit_files and not no_face
    if read:  # a detector's units stand for both
        lacking.clear()
        auxiliary = auxiliary if auxiliary.weight else AuxiliaryTargetsConfig(2.0, "units")
    neutral = has("neutral faces under emotive texts", "neutral_faces", but=no_face or trained)
    text_guided = regions and "displays" in facts.capabilities
    if not text_guided:
        lacking.append("text-guided stage: it needs attention supervision and the emotion that each text names")
    # Without known regions those of a detector's units, without these the dense model's own saliency: the best of what
    # needs labels only (benchmarks/README.md).
    target = "regions" if regions else "units" if read else "saliency" if no_face else "face_saliency"
    return Guidance(
        auxiliary,
        replace(ANY_P.attention, target=target),
        ANY_P.neutral if neutral else NeutralFacesConfig(),
        # With known regions it was not tried.
        DistillationConfig() if regions else DISTILLATION,
        text_guided,
        tuple(lacking),
    )


@dataclass(frozen=True)
class Stage:
    """Hold one training of a recipe.

    Attributes:
        name: dense, sparse or text-guided; of a preset its name.
        run: model and training; every stage but the first starts from the checkpoint of the one before.
    """

    name: str
    run: RunConfig


@dataclass(frozen=True)
class Recipe:
    """Hold the stages of a run in their order.

    Attributes:
        left_out: one line for everything that does not run, with the reason.
    """

    name: str
    size: str
    stages: tuple[Stage, ...]
    left_out: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return what runs and why, and what does not and why, one line each."""
        what = f"recipe {self.name}, size {self.size}" if self.size else f"preset {self.name}"
        first = f"{what}: {counted(len(self.stages), 'stage')}"
        runs = [
            f"  {i} {stage.name}, {_epochs(stage.run.train)}: {_reason(self.name, stage.run, is_first=i == 1)}"
            for i, stage in enumerate(self.stages, 1)
        ]
        return [first, *runs, *(f"  left out: {line}" for line in self.left_out)]

    def stage(self, name: str) -> Stage:
        """Return a stage by its name.

        Raises:
            ConfigError: the recipe has none of that name.
        """
        by_name = {stage.name: stage for stage in self.stages}
        if name not in by_name:
            raise ConfigError(f"recipe {self.name} has no stage {name!r} here; it has {', '.join(by_name)}")
        return by_name[name]

    def change_training(self, **changes: object) -> Recipe:
        """Return the recipe with training settings changed in all stages."""
        return self._with_runs(replace(s.run, train=replace(s.run.train, **changes)) for s in self.stages)  # type: ignore[arg-type]

    def start_from(self, checkpoint: str) -> Recipe:
        """Return the recipe with a checkpoint that the first stage starts from."""
        first, *others = (stage.run for stage in self.stages)
        return self._with_runs([replace(first, train=replace(first.train, init_from=checkpoint)), *others])

    def with_settings(self, settings: Mapping[str, str]) -> Recipe:
        """Return the recipe with `key=value` strings applied to every stage whose model has that setting.

        Raises:
            ConfigError: no stage has it, or a value is out of range.
        """
        unused = [key for key in settings if not any(_has(stage.run, key) for stage in self.stages)]
        return self._with_runs(
            stage.run.with_settings({k: v for k, v in settings.items() if _has(stage.run, k) or k in unused})
            for stage in self.stages
        )

    def _with_runs(self, runs: Iterable[RunConfig]) -> Recipe:
        stages = tuple(replace(stage, run=run) for stage, run in zip(self.stages, runs, strict=True))
        return replace(self, stages=stages)

    def to_dict(self) -> dict[str, Json]:
        """Return a dict for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Recipe:
        """Read `to_dict`'s dict, of this or an older version.

        Raises:
            ConfigError: a setting that no version has had, or a value of another type or out of range.
            DataError: a part is missing or of another type.
        """
        plan = from_json(_StoredRecipe, dict(data), "the recipe")
        stages = tuple(Stage(one.name, RunConfig.from_dict(one.run)) for one in plan.stages)
        return cls(plan.name, plan.size, stages, plan.left_out)


@dataclass(frozen=True)
class _StoredStage:
    name: str
    run: dict[str, Json]
    reason: str = ""  # stored until 0.1


@dataclass(frozen=True)
class _StoredRecipe:
    name: str
    size: str
    stages: tuple[_StoredStage, ...]
    left_out: tuple[str, ...] = ()


def _epochs(train: TrainConfig) -> str:
    clips = f" of at most {counted(train.max_clips, 'clip')}" if train.max_clips else ""
    return f"{counted(train.epochs, 'epoch')}{clips}"


def _has(run: RunConfig, setting: str) -> bool:
    """Return False for a setting of another model, such as top_p of a dense one."""
    name = setting.removeprefix("model.")
    return name in run.model.flat() or name not in MODEL_SETTINGS


def plan_recipe(
    name: str, facts: CorpusFacts, size: str = "small", *, cold: bool = False, top_p: float = 0.5
) -> Recipe:
    """Plan a recipe for a corpus.

    Args:
        name: one of `RECIPES`.
        size: one of `SIZES`; decides width, text encoder and rates.
        cold: with `paper`: train MESM from random weights, as the paper does, and no dense model.
        top_p: reference mass of MESM.

    Raises:
        ConfigError: there is no such recipe or size, or the corpus has nothing to select positions of.

    Examples:
        >>> recipe = plan_recipe("mesm", CorpusFacts(labels=("anger", "happiness")))
        >>> [stage.name for stage in recipe.stages], recipe.stages[1].run.train.attention.target
        (['dense', 'sparse'], 'face_saliency')
    """
    if name not in RECIPES or size not in SIZES:
        raise ConfigError(
            f"no recipe {name!r} of size {size!r}; there are {', '.join(RECIPES)}, each of size {' or '.join(SIZES)}"
        )
    if cold and name != "paper":
        raise ConfigError(f"--cold belongs to --recipe paper; {name} always starts from its dense stage")
    segments = tuple(m for m in facts.modalities if m != "text")
    if cold and not segments:
        raise ConfigError("words alone have no positions to select: MESM cannot be trained on this corpus")
    sparse_too = name != "fe2e" and bool(segments)
    missing = tuple(
        _MISSING[m] + _WITHOUT_WORDS * (m == "text" and sparse_too) for m in MODALITIES if m not in facts.modalities
    )
    # The text is MESM's query, and MESM starts from a dense model with the same branches.
    model = _dense_model(facts, size, ("text", *segments) if sparse_too else facts.modalities)
    guidance = choose_guidance(facts, frozen_text=not model.text_trainable)
    train = _dense_training(facts, size)
    train = _as_in_the_paper(train) if name == "paper" else replace(train, auxiliary=guidance.auxiliary)
    dense = Stage("dense", RunConfig(model, train))
    if not sparse_too:
        lines = (*missing, *guidance.left_out[: not guidance.auxiliary.weight])
        words_alone = () if name == "fe2e" else ("sparse stage: words alone have no positions to select",)
        return Recipe(name, size, (dense,), (*lines, *words_alone))
    if name == "paper":
        stage = Stage("sparse", RunConfig(model.as_model("mesm", top_p=top_p, gate="hard"), train))
        no_dense = ("dense stage: --cold",) if cold else ()
        return Recipe(name, size, (stage,) if cold else (dense, stage), (*missing, *no_dense, _FAITHFUL))
    # The rendered corpus's checkpoint was trained and measured with its padding.
    padding = "kept" if facts.rendered else "masked"
    sparse_model = model.as_model("mesm", top_p=top_p, score=SCORE, padding=padding)
    sparse = _sparse(RunConfig(sparse_model, train), guidance, size)
    guided = (_text_guided(sparse.run),) if guidance.text_guided else ()
    return Recipe(name, size, (dense, sparse, *guided), (*missing, *guidance.left_out))


def one_stage(name: str, run: RunConfig) -> Recipe:
    """Return a run, such as a preset's, as a recipe of one stage."""
    return Recipe(name, "", (Stage(name, run),))


_WORDS = {"text": "words", "visual": "faces", "acoustic": "voice"}
_MISSING = {
    "text": "words: no training clip has any",
    "visual": "faces: no training clip has any",
    "acoustic": "voice: no training clip has one",
}
_WITHOUT_WORDS = f"; their branch stays untrained, and faces and voices are queried by “{NEUTRAL_QUERY}”"
_FAITHFUL = "guidance, any-p, augmentation and branch loss: the paper has none"


def _dense_model(facts: CorpusFacts, size: str, modalities: tuple[str, ...]) -> FE2EConfig:
    model = replace(PAPER if size == "paper" else SMALL, labels=facts.labels, modalities=modalities)
    if size == "paper" or facts.rendered:
        return model
    # Cameras, lights and microphones differ from clip to clip; the mel's mean and spread are those of recorded voices
    # (RAVDESS) whose level is removed.
    # Word scores and voice statistics learn from few clips (benchmarks/README.md); their sizes are those of people-fe2e, so
    # that its branches can be the start.
    return replace(
        model, face_scaling="grey", mel_level="removed", mel_mean=-3.5, mel_std=1.85, mel_statistics=True,
        mel_statistics_hidden=128, text_lexicon=65_536,
    )  # fmt: skip


def _dense_training(facts: CorpusFacts, size: str) -> TrainConfig:
    if size == "paper":
        return PAPER_TRAIN
    # A small recorded corpus is overfitted before the schedule ends.
    return SMALL_TRAIN if facts.rendered else replace(SMALL_TRAIN, keep="best", augmentation="broad")


def _as_in_the_paper(train: TrainConfig) -> TrainConfig:
    return replace(
        train, branch=BranchLossConfig(0.0), auxiliary=AuxiliaryTargetsConfig(), attention_lr_factor=1.0, augment=False,
        fusion="learned", keep="best",
    )  # fmt: skip


def _sparse(dense: RunConfig, guidance: Guidance, size: str) -> Stage:
    """Return the any-p stage; `dense` has its model, and the training of the stage before."""
    pace = ANY_P if size == "small" else dense.train
    train = replace(
        dense.train, epochs=pace.epochs, lr=pace.lr, attention_lr_factor=ANY_P.attention_lr_factor, top_p_range=ANY_P.top_p_range,
        queries=ANY_P.queries, freeze_text=size == "small", neutral=guidance.neutral, attention=guidance.attention,
        distillation=guidance.distillation,
    )  # fmt: skip
    return Stage("sparse", RunConfig(dense.model, train))


def _text_guided(sparse: RunConfig) -> Stage:
    train = replace(
        sparse.train, epochs=TEXT_GUIDED.epochs, lr=sparse.train.lr / 2,
        warmup=min(TEXT_GUIDED.warmup, sparse.train.warmup), bilinear_lr_factor=TEXT_GUIDED.bilinear_lr_factor,
        freeze_stem=True, attention=TEXT_GUIDED.attention,
    )  # fmt: skip
    return Stage("text-guided", RunConfig(sparse.model, train))


def _reason(recipe: str, run: RunConfig, *, is_first: bool) -> str:
    """Return what a stage trains and why, one sentence; from its settings as they are now, not as they were planned."""
    model, train = run.model, run.train
    if not isinstance(model, MESMConfig):
        on = ", ".join(_WORDS[m] for m in model.modalities)
        sparse_follows = recipe in ("mesm", "paper") and model.modalities != ("text",)
        aim = "a sparse model does not learn from random weights" if sparse_follows else "it computes every site"
        return f"{model.name.upper()} on {on}; {aim}"
    start = (train.init_from or "random weights") if is_first else "the stage before"
    mass = f"p = {model.top_p:g} in every batch"
    if train.top_p_range:
        mass = "p from {:g} to {:g} so that one checkpoint serves every p".format(*train.top_p_range)
    if train.top_p_start:
        mass += f" after a start from p = {train.top_p_start:g}"
    gate = "a hard gate and " if model.gate == "hard" else ""
    attention = train.attention
    named = attention.target == "regions" and attention.weight * attention.target_shares[1]
    guides = {
        f"attention supervised by {_TARGETS[attention.target]}": attention.weight,
        "also by the regions of the emotion that the text names": named,
        f"the scores of {train.distillation.checkpoint or 'the dense model'} as soft labels": train.distillation.weight,
        "neutral faces": train.neutral.per_batch,
        "auxiliary targets": train.auxiliary.weight,
    }
    guided = ", ".join(name for name, weight in guides.items() if weight) or "nothing but labels guides it"
    return f"MESM from {start}, with {gate}{mass}; {guided}"


#: Target of the attention supervision -> its words in a stage's reason.
_TARGETS = {
    "regions": "known regions",
    "units": "the regions of a detector's units",
    "points": "the places of units in general",
    "saliency": "the dense model's saliency",
    "face_saliency": "the dense model's saliency on the places of action units",
}
