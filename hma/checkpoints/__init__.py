"""Checkpoints: open and check a pair (``pair``, no torch), and merge it into one live model (``live``)."""
