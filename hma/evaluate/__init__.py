"""What is measured: suites (``suite``), lm-eval tasks (``abilities``), chat rewards (``rewards``), generation.

``suite`` imports no torch, so that the app may read a suite; the rest belongs in a worker.
``evaluator.Evaluator(suite, model, tokenizer).run()`` gives per-item results under each score's name.
"""
