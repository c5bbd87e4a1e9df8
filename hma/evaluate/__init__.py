"""What is measured: suites (``suite``), lm-eval tasks (``ability``, ``abilities``), and the chat part: its fields (``chat``),
its prompts and formats (``prompts``, ``formats``), answers (``generation``), and judges (``judging``, which has ``rewards``,
``programs``, ``pairrm`` and ``proxies``).

``suite`` imports no torch, so that the app may read a suite; the rest belongs in a worker.
``evaluator.Evaluator(suite, model, tokenizer).run()`` gives per-item results under each score's name.
"""
