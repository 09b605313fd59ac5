"""Convert a raw clip into a `Sample`: decoding, faces, mel, words. Done once and stored, never repeated in training.

Start at `clip.ingest_clip`. It samples a frame every 500 ms (`video`; `hdr` maps high dynamic range to the standard one),
finds a person's face and follows it (`faces`; `search` does it faster, `many` for several clips at once, `choice` lists
several faces), computes the log mel power (`audio`), cleans the transcript (`text`) and sets quality flags. `media` opens
the file; `guard` runs all of it in a child process with limits (`child_process`, `limits`, `private_folder`), for every
file from outside; `preview` encodes the copy that a browser
plays, `closeups` cuts larger faces from it.
"""

from mesm.data.ingest.choice import FaceChoice
from mesm.data.ingest.clip import StageProgress, ingest_arrays, ingest_clip
from mesm.data.ingest.guard import (
    Decoders,
    MediaFacts,
    ingest_untrusted,
    probe_untrusted,
    shared_decoder,
    waveform_untrusted,
)
from mesm.data.ingest.media import Limits
from mesm.data.ingest.preview import encode_arrays, encode_preview

__all__ = [
    "Decoders",
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
    "shared_decoder",
    "waveform_untrusted",
]
