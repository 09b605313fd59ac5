"""Submanifold sparse convolution on maps of segments: values (`sites`), backends, and the choice between them."""
