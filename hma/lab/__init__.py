"""The miniature: a small invented world, a reference and a policy trained on it, judges, tasks and prompts.

The world is ``facts``, ``stories``, ``translation`` and ``chat``, each plain data with a generator; ``corpus``
mixes them for pre-training. ``pretrain`` makes the reference, ``raft`` the policy, ``reward_model`` and
``ranker`` the learned judges, ``tasks`` the items. ``build`` does all of it, ``check`` says what it shows on
three seeds. What differs between experiments is a ``scenario.Scenario``.
"""
