"""A raw clip becomes a `Sample`: decoding, faces, mel, words. Done once, stored, never repeated in training."""

from mesm.data.ingest.choice import FaceChoice
from mesm.data.ingest.clip import StageProgress, ingest_arrays, ingest_clip
from mesm.data.ingest.guard import MediaFacts, ingest_untrusted, probe_untrusted, waveform_untrusted
from mesm.data.ingest.media import Limits
from mesm.data.ingest.preview import encode_arrays, encode_preview

__all__ = [
    "FaceChoice",
    "Limits",
    "MediaFacts",
    "StageProgress",
    "encode_arrays",
    "encode_preview",
    "ingest_arrays",
    "ingest_clip",
    "ingest_untrusted",
    "probe_untrusted",
    "waveform_untrusted",
]
