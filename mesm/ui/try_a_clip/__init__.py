"""Build the Try a clip page: `own_clip.py` (choices), `upload.py` (guarded decoding), `transcription.py`."""
