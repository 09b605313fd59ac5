"""List the action units that four authors name for each emotion. They disagree, so the codebook is a choice.

Measurements against them are called agreement with a codebook, never correctness: see `COUNTER_VIEW`.
"""

from __future__ import annotations

from mesm.errors import ConfigError
from mesm.records.facs import Codebook

#: The case against inferring emotions from faces, in two sentences, with its source.
COUNTER_VIEW = (
    "Facial configurations are neither reliable nor specific signs of emotion: people often feel without showing the "
    "prototype, and show it for other reasons. Agreement with a codebook therefore measures where an attention map lies, "
    "not that a feeling was recognised."
)
COUNTER_VIEW_SOURCE = (
    "Barrett, Adolphs, Marsella, Martinez & Pollak 2019, Emotional expressions reconsidered, Psychological Science in "
    "the Public Interest 20(1):1-68, doi:10.1177/1529100619832930"
)


_TABLES = (
    Codebook(
        "emfacs",
        "EMFACS list",
        {
            "anger": (4, 5, 7, 23), "disgust": (9, 15, 16), "fear": (1, 2, 4, 5, 7, 20, 26),
            "happiness": (6, 12), "sadness": (1, 4, 15), "surprise": (1, 2, 5, 26),
        },
        "Friesen & Ekman 1983, EMFACS-7: Emotional Facial Action Coding System (unpublished manual), as listed by "
        "Matsumoto & Ekman 2008, Facial expression analysis, Scholarpedia 3(5):4237",
        "The list that most papers mean by FACS; some prints of it add unit 17 to disgust.",
    ),
    Codebook(
        "facs1978",
        "FACS 1978, table 11-1",
        {
            "anger": (4, 5, 7, 24), "disgust": (4, 10, 17), "fear": (1, 2, 4, 5, 20, 25),
            "happiness": (6, 12, 25), "sadness": (1, 4, 15), "surprise": (1, 2, 5, 26),
        },
        "Ekman & Friesen 1978, Facial Action Coding System: Investigator's guide, Consulting Psychologists Press, "
        "table 11-1; units as defined in Ekman, Friesen & Hager 2002",
        "The most intense of the variants that the table prints for each emotion, as quoted in Methods of Psychological "
        "Research Online, issue 4, article 3.",
    ),
    Codebook(
        "belharbi2024",
        "Belharbi et al. 2024",
        {
            "anger": (4, 5, 7, 10, 17, 23, 24, 25, 26), "disgust": (9, 16, 17, 25, 26),
            "fear": (1, 2, 4, 5, 20, 25, 26, 27), "happiness": (6, 12, 25), "sadness": (1, 4, 6, 15, 17),
            "surprise": (1, 2, 5, 26, 27),
        },
        "Belharbi, Pedersoli, Koerich, Bacon & Granger 2024, Guided interpretable facial expression recognition via "
        "spatial action unit cues, IEEE FG 2024, arXiv:2402.00281 (table of their code)",
        "Wide regions: with many units an agreement is easily had, which is what the lift over chance corrects.",
    ),
    Codebook(
        "paper",
        "The paper's own words",
        {
            "anger": (4, 23, 24), "disgust": (9, 10), "fear": (1, 2, 5, 20, 25), "happiness": (12,),
            "sadness": (15, 45), "surprise": (1, 2, 5, 26),
        },
        "Dai, Cahyawijaya, Liu & Fung 2021, Multimodal end-to-end sparse model for emotion recognition, NAACL, "
        "section 6.2",
        "Happiness: both lip corners up. Sadness: lip corners and eyelids down. Anger: a narrowed gap between the eyes, "
        "thinned lips. Surprise: open mouth, raised brows and eyelids. Fear: raised brows and upper eyelids, open mouth "
        "with the lip ends towards the cheeks. Disgust: wrinkles at the nose, the upper lip. Our reading as units; "
        "lowered eyelids (41 to 43) are laid on the region of the blink, 45.",
    ),
)  # fmt: skip

#: Name -> codebook.
CODEBOOKS: dict[str, Codebook] = {table.name: table for table in _TABLES}


def codebook(name: str) -> Codebook:
    """Return a codebook by its name.

    Raises:
        ConfigError: there is no such codebook.
    """
    if name not in CODEBOOKS:
        raise ConfigError(f"no codebook {name!r}; there are {', '.join(CODEBOOKS)}")
    return CODEBOOKS[name]
