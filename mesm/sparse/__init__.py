"""Compute submanifold sparse convolution on maps of segments (Graham and van der Maaten 2017; paper, section 4.3.2).

Start with `sites.py` (active sites, their features, the pairs of a 3x3 kernel) and `backends.py` (`submanifold_conv`
and the choice of a backend). `dense_backend`, `fused_backend` and `spconv_backend` compute the same sums;
`compiled.py` and `compiled_attention.py` hold the loops that numba compiles (`compilation.py` announces it),
`backend_costs.py` measured constants.
"""
