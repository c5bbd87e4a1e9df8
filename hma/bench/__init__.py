"""Benchmarks: ``python -m hma bench``. Each prints a share of, or a ratio to, what was measured in the same run."""
