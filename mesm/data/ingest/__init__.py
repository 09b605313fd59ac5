"""A raw clip becomes a `Sample`: decoding, faces, mel, words. Done once, stored, never repeated in training."""

from mesm.data.ingest.clip import Progress, ingest_arrays, ingest_clip
from mesm.data.ingest.media import Limits

__all__ = ["Limits", "Progress", "ingest_arrays", "ingest_clip"]
