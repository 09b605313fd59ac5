"""Hold the BibTeX entries that figures and tables cite."""

from __future__ import annotations

from collections.abc import Iterable

#: Key -> entry; figures cite by key.
ENTRIES: dict[str, str] = {
    "dai-etal-2021-multimodal": """@inproceedings{dai-etal-2021-multimodal,
  title     = {Multimodal End-to-End Sparse Model for Emotion Recognition},
  author    = {Dai, Wenliang and Cahyawijaya, Samuel and Liu, Zihan and Fung, Pascale},
  booktitle = {Proceedings of the 2021 Conference of the North American Chapter of the Association for
               Computational Linguistics: Human Language Technologies},
  year      = {2021},
  pages     = {5305--5316},
  doi       = {10.18653/v1/2021.naacl-main.417},
}""",
    "ekman-friesen-1978": """@book{ekman-friesen-1978,
  title     = {Facial Action Coding System: A Technique for the Measurement of Facial Movement},
  author    = {Ekman, Paul and Friesen, Wallace V.},
  publisher = {Consulting Psychologists Press},
  address   = {Palo Alto},
  year      = {1978},
}""",
    "barrett-etal-2019": """@article{barrett-etal-2019,
  title   = {Emotional Expressions Reconsidered: Challenges to Inferring Emotion From Human Facial Movements},
  author  = {Barrett, Lisa Feldman and Adolphs, Ralph and Marsella, Stacy and Martinez, Aleix M. and
             Pollak, Seth D.},
  journal = {Psychological Science in the Public Interest},
  volume  = {20},
  number  = {1},
  pages   = {1--68},
  year    = {2019},
  doi     = {10.1177/1529100619832930},
}""",
    "satopaa-etal-2011": """@inproceedings{satopaa-etal-2011,
  title     = {Finding a "Kneedle" in a Haystack: Detecting Knee Points in System Behavior},
  author    = {Satop{\\"a}{\\"a}, Ville and Albrecht, Jeannie and Irwin, David and Raghavan, Barath},
  booktitle = {31st International Conference on Distributed Computing Systems Workshops},
  year      = {2011},
  pages     = {166--171},
  doi       = {10.1109/ICDCSW.2011.20},
}""",
    "busso-etal-2008": """@article{busso-etal-2008,
  title   = {{IEMOCAP}: Interactive Emotional Dyadic Motion Capture Database},
  author  = {Busso, Carlos and Bulut, Murtaza and Lee, Chi-Chun and Kazemzadeh, Abe and Mower, Emily and
             Kim, Samuel and Chang, Jeannette N. and Lee, Sungbok and Narayanan, Shrikanth S.},
  journal = {Language Resources and Evaluation},
  volume  = {42},
  number  = {4},
  pages   = {335--359},
  year    = {2008},
  doi     = {10.1007/s10579-008-9076-6},
}""",
    "bagher-zadeh-etal-2018": """@inproceedings{bagher-zadeh-etal-2018,
  title     = {Multimodal Language Analysis in the Wild: {CMU-MOSEI} Dataset and Interpretable Dynamic Fusion Graph},
  author    = {Bagher Zadeh, AmirAli and Liang, Paul Pu and Poria, Soujanya and Cambria, Erik and
               Morency, Louis-Philippe},
  booktitle = {Proceedings of the 56th Annual Meeting of the Association for Computational Linguistics
               (Volume 1: Long Papers)},
  year      = {2018},
  pages     = {2236--2246},
  doi       = {10.18653/v1/P18-1208},
}""",
    "guo-etal-2017": """@inproceedings{guo-etal-2017,
  title     = {On Calibration of Modern Neural Networks},
  author    = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  year      = {2017},
  pages     = {1321--1330},
}""",
}

PAPER = "dai-etal-2021-multimodal"
_CORPORA = {"iemocap": "busso-etal-2008", "mosei": "bagher-zadeh-etal-2018"}


def corpus_cites(corpus: str) -> tuple[str, ...]:
    """Return the keys that a figure of this corpus must cite, by the corpus's name."""
    return tuple(key for name, key in _CORPORA.items() if name in corpus.lower())


def bibtex(keys: Iterable[str]) -> str:
    """Return a .bib file of these entries, each once, in order of their keys."""
    return "\n\n".join(ENTRIES[key] for key in sorted(set(keys))) + "\n"
