"""Compute the parts of networks, each after its equation in the paper.

Start with `sparse_vgg.py` (MESM's CNN), which puts together `attention.py` (cross-modal attention), `nucleus.py`
(top-p selection) and the stem and blocks of `vgg.py` (FE2E's CNN). `transformer.py` and `fusion.py` come behind the
CNNs; `text.py` holds the text encoders, with `bert.py` for the default one, `speech.py` the speech recogniser,
`vgg11.py` the 11-layer VGG of the paper's text. `normalisation.py` and `versioned_cache.py` serve the CNNs.
"""
