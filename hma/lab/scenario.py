"""Scenarios: everything that differs between one miniature and another, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hma.lab.corpus import Mixture


@dataclass(frozen=True)
class ModelSize:
    """A Llama model's shape."""

    hidden: int = 96
    layers: int = 6
    heads: int = 4
    intermediate: int = 192


@dataclass(frozen=True)
class Pretraining:
    """AdamW with warm-up, a constant stretch to 60 % and a linear fall to 3 % of the learning rate.

    ``prompt_weight`` is the loss weight of a person's words; an answer's weigh 1.
    """

    steps: int = 1000
    learning_rate: float = 2.5e-3
    warm_up: int = 100
    weight_decay: float = 0.05
    prompt_weight: float = 0.1
    mixture: Mixture = field(default_factory=Mixture)


@dataclass(frozen=True)
class Raft:
    """Best of ``samples`` answers to each of ``prompts`` prompts, then ``epochs`` over the best, ``iterations`` times.

    ``task_share`` of the prompts ask for a fact or a translation. There is no KL penalty. To the samples are added
    ``demonstrations``, answers that people in the world of ``hma.lab.new_knowledge`` give; the best of all is learned.
    """

    learning_rate: float = 2e-3
    iterations: int = 10
    prompts: int = 96
    samples: int = 8
    epochs: int = 2
    batch_size: int = 32
    task_share: float = 0.0
    demonstrations: int = 0


@dataclass(frozen=True)
class Judges:
    """The two learned judges: trained on the same ``pairs`` preferences."""

    pairs: int = 8000
    batch_size: int = 64
    learning_rate: float = 1e-3
    reward_model_layers: int = 3
    ranker_hidden: int = 64
    ranker_layers: int = 2
    ranker_learning_rate: float = 2e-3
    ranker_epochs: int = 2
    held_out_pairs: int = 500


@dataclass(frozen=True)
class Scenario:
    """A recipe for a pair: the model, how the reference is trained, how the policy is."""

    name: str
    title: str = field(compare=False)
    size: ModelSize = field(default_factory=ModelSize)
    pretraining: Pretraining = field(default_factory=Pretraining)
    raft: Raft = field(default_factory=Raft)
    judges: Judges = field(default_factory=Judges)
    num_items: int = 300
    """Items of each task and chat prompts, in each split."""
    program: str = "hma.lab.reward:reward"
    """The reward that the policy is trained on, as module:function."""


DEFAULT = Scenario("default", "RAFT on how-to prompts alone; the style that it teaches spreads to the tasks")

SLOW_RAFT = Scenario(
    "slow_raft",
    "The default at half the learning rate, for longer",
    raft=Raft(learning_rate=1e-3, iterations=16),
)

STYLE_CONFLICT = Scenario(
    "style_conflict",
    "RAFT asks for facts and translations too, and the reward likes chatty answers to them",
    raft=Raft(learning_rate=1e-3, iterations=12, task_share=0.25),
)

HEAVY_RAFT = Scenario(
    "heavy_raft",
    "No conflict of style, but RAFT at four times the learning rate",
    pretraining=Pretraining(mixture=Mixture(chatty_share=0.0)),
    raft=Raft(learning_rate=4e-3, iterations=14),
)

NEW_KNOWLEDGE = Scenario(
    "new_knowledge",
    "The reward counts other steps as right than the reference was taught, and no manners; people's answers bring the new ones",
    raft=Raft(learning_rate=5e-4, iterations=12, epochs=4, demonstrations=8),
    program="hma.lab.new_knowledge:reward",
)

SCENARIOS = {scenario.name: scenario for scenario in (DEFAULT, SLOW_RAFT, STYLE_CONFLICT, HEAVY_RAFT, NEW_KNOWLEDGE)}
"""The named scenarios."""


def read_scenario(data: Mapping[str, Any]) -> Scenario:
    """The scenario that ``asdict`` made ``data`` of; a setting that is not there, being younger, has its default.

    Raises KeyError or TypeError for data of another form.
    """
    pretraining = {**data["pretraining"], "mixture": Mixture(**data["pretraining"]["mixture"])}
    parts = {
        "size": ModelSize(**data["size"]),
        "pretraining": Pretraining(**pretraining),
        "raft": Raft(**data["raft"]),
        "judges": Judges(**data["judges"]),
    }
    return Scenario(**{**data, **parts})
