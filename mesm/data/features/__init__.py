"""Phase one of the two-phase baselines: hand-crafted features, with named columns, units and their source."""

from mesm.data.features.store import FeatureSet, FeatureStore, feature_folder, write_features

__all__ = ["FeatureSet", "FeatureStore", "feature_folder", "write_features"]
