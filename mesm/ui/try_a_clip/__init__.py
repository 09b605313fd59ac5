"""try_a_clip"""
