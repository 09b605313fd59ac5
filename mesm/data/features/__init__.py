"""Compute hand-crafted features of the two-phase baselines (phase one): rows of named columns, with units and source.

Start at `store.FeatureStore`, which reads the features beside a corpus, and at `extract`, which writes them: word vectors
(`words`), action units (`action_units`), acoustic features (`acoustic`). `authors` imports the authors' own files.
"""

from mesm.data.features.store import FeatureSet, FeatureStore, feature_folder, write_features

__all__ = ["FeatureSet", "FeatureStore", "feature_folder", "write_features"]
