"""A scenario of seconds, and what the lab's tests of folders share."""

from hma.lab.corpus import Mixture
from hma.lab.scenario import Judges, ModelSize, Pretraining, Raft, Scenario

TINY = Scenario(
    "tiny",
    "Seconds, and no sense",
    size=ModelSize(hidden=16, layers=2, heads=2, intermediate=32),
    pretraining=Pretraining(steps=3, mixture=Mixture(facts=2, translations=2, chats=2, stories=2, copies=2, copying_steps=2)),
    raft=Raft(iterations=2, prompts=4, samples=2, epochs=1, task_share=0.25),
    judges=Judges(pairs=16, batch_size=8, held_out_pairs=8, reward_model_layers=1, ranker_hidden=16, ranker_layers=1),
    num_items=8,
)


def silent(stage, done, total):
    pass


def contents(folder):
    """Every file's bytes, by its path in the folder."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
