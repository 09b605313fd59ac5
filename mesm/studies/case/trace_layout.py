"""Document the layout of trace files; without numpy, so that `--help` stays quick."""

#: Name, shape and unit of every array of a trace file.
LAYOUT = """\
The file is an NPZ (numpy.load), one array per name:
  provenance                       JSON text: checkpoint, weights, corpus, top-p, command
  labels (E,)                      emotions, the order of all scores
  thresholds (E,)                  decision thresholds, scores from 0 to 1
  clip_ids (N,), splits (N,)       clips in the order of the corpus
  scores (N, E), truth (N, E)      fused scores from 0 to 1; intensities from 0 to 3, NaN where not labelled
and per clip n = 00000 to N - 1:
  n/visual/scores (E,)             scores of the face alone; also n/text, n/acoustic; absent branches are missing
  n/visual/weight ()               fusion weight of the branch
  n/visual/times_s (S,)            seconds from the start of the clip, one per face crop (acoustic: per mel chunk)
  n/visual/L1/attention (S, H, W)  float32; each segment sums to 1 over its active sites
  n/visual/L1/kept (S, H, W)       bool; the nucleus
  n/visual/L1/active (S, H, W)     bool; the sites to choose from; L1 to L3, rows from the top (acoustic: lowest band first)
  n/flags (F,)                     names of what qualifies the scores, e.g. no_audio
  n/stages (K,), n/macs (K,)       multiply-adds of the clip by stage; missing where they are not counted
  n/acoustic/L1/padding (S, H, W)  bool; sites after the end of the sound; missing where there are none
No faces, sounds or transcripts are in it."""
