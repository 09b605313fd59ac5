"""Define the objectives: one class per term of the training loss.

    step.py                   StepBatch (what a step trains on) and the base class Objective
    label_loss.py             cross entropy of the fused scores; class weights
    branch_loss.py            cross entropy of each branch's own scores
    attention_supervision.py  divergence between attention and target maps
    target_maps.py            target maps of the training clips: by the five points, or by a detector's units
    saliency.py               target maps from the dense model's saliency
    auxiliary_targets.py      action units, prosody and text emotion, predicted by linear heads
    neutral_faces.py          neutral faces under emotive texts
    two_texts.py              divergence between the scores under two texts
    distillation.py           cross entropy of each branch's scores against the dense model's
    objectives.py             builds those that a config switches on, and sums them: start here

Each has its settings in `mesm.config.objectives`; `mesm.training.requirements` checks first that a corpus has what they read.
"""

from mesm.training.objectives.objectives import Objectives
from mesm.training.objectives.step import Objective, StepBatch

__all__ = ["Objective", "Objectives", "StepBatch"]
