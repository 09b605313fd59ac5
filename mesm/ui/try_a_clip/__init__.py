"""Build the Try a clip page: `own_clip.py` (choices), `upload.py` (decoding), `transcription.py`, `speech_files.py`."""
