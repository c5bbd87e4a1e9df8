"""The chat part of a suite: prompts, how they are answered, and the rewards that judge the answers; without torch."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hma.core.point import REWARD
from hma.core.study import Axis
from hma.errors import SuiteError
from hma.evaluate import programs
from hma.evaluate.datafiles import find_files
from hma.evaluate.fields import axis_of, number, refuse_unknown
from hma.evaluate.formats import CHAT_TEMPLATE, HUMAN, checked_format
from hma.evaluate.judges import base_of, check_labels, find_judge, hashes
from hma.evaluate.prompts import Prompt, read_answers, read_prompts

PROGRAM, REWARD_MODEL, PAIRRM = "program", "reward_model", "pairrm"
POLICY_LIKELIHOOD, KL_TO_REFERENCE = "policy_likelihood", "kl_to_reference"
PROXIES = (POLICY_LIKELIHOOD, KL_TO_REFERENCE)
"""Kinds that stand in for a reward without judging an answer; their names and titles say so."""

REFERENCE, POLICY, FILE = "reference", "policy", "file"
"""Whose answers a win rate is counted against."""

SHIPPED_PROGRAMS = ("hma.lab.reward:reward", "hma.lab.new_knowledge:reward")
"""The miniature's own rewards, which do nothing but count: the programs that any suite may name."""


@dataclass(frozen=True)
class Generation:
    """Decoding settings of the chat answers. Temperature 0 is greedy.

    An answer is cut where one of ``stops`` begins. A prompt of more than ``max_prompt_tokens``, or one that leaves no
    room for its answer in the model's context, is refused, or with ``skip_long`` left out.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stops: tuple[str, ...] = ()
    max_prompt_tokens: int | None = None
    skip_long: bool = False


PRESETS = {
    "paper": Generation(196, temperature=1.0, top_p=1.0, seed=0, stops=(HUMAN,), max_prompt_tokens=256),
    "alpaca-eval": Generation(300, temperature=0.7, top_p=1.0, seed=0),
}
"""The paper's settings for rewards on HH-RLHF [HMA §5, and its code], and for win rates on AlpacaEval."""


@dataclass(frozen=True)
class Reward:
    """One way of judging the chat answers, under its axis's name; ``details`` are further scores of the same judging.

    ``judge`` is a program's name, or a model's folder; ``base`` the folder of what a ranker stands on; ``format`` how a
    reward model reads an answer; ``baseline`` whose answers are compared with, and ``answers`` those of a file, by the
    prompts' ids. ``files`` are hashes of what the judge is opened from, and ``content`` is what its numbers depend on.
    """

    kind: str
    axis: Axis
    judge: str = ""
    base: str = ""
    format: str = CHAT_TEMPLATE
    baseline: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    details: tuple[Axis, ...] = ()
    files: Sequence[Any] = ()
    content: Sequence[Any] = ()


@dataclass(frozen=True)
class Chat:
    """Prompts, the format in which the model is asked, how it answers, and the rewards; the first is the alignment axis."""

    prompts: tuple[Prompt, ...]
    format: str
    generation: Generation
    rewards: tuple[Reward, ...]
    training: tuple[Prompt, ...] = ()
    """Prompts of RLHF's own training, which alphas are fitted on; nothing is measured on them."""

    @property
    def extras(self) -> tuple[Axis, ...]:
        """The axes of every score but the first reward's own."""
        return tuple(axis for reward in self.rewards for axis in (reward.axis, *reward.details))[1:]

    @property
    def content(self) -> list[Any]:
        """Everything that the chat scores depend on."""
        prompts = [[prompt.id, *prompt.turns] for prompt in self.prompts]
        rewards = [[reward.kind, reward.axis.name, list(reward.content)] for reward in self.rewards]
        return [prompts, self.format, asdict(self.generation), rewards]


def read_chat(data: Mapping[str, Any], folder: Path, split: str, program: str = "", may_run: bool = True) -> Chat:
    """The chat part of a suite's ``data`` at a split; files are looked for beside ``folder``.

    A ``program`` takes the first reward's place. Without ``may_run`` a suite that names a program is refused. Raises
    SuiteError, and KeyError, TypeError or ValueError for a field that is missing or wrong.
    """
    if "reward" in data:  # One reward, with prompts and generation in it.
        if twice := [name for name in ("chat", "rewards") if name in data]:
            raise ValueError(f"it has both 'reward' and '{twice[0]}', expected 'reward' alone, or 'chat' and 'rewards'")
        chat = {name: data["reward"][name] for name in ("prompts", "generation")}
        rewards = [{name: value for name, value in data["reward"].items() if name not in chat}]
    else:
        chat, rewards = data["chat"], data["rewards"]
    refuse_unknown("chat", chat, ("prompts", "format", "generation"))
    refuse_unknown("prompts", chat["prompts"], ("validation", "test", "train", "format", "shuffle"))
    if not isinstance(rewards, list) or not rewards:
        raise TypeError("'rewards' is empty, expected a list of one reward or more")
    prompts = read_prompts(find_files(chat["prompts"][split], folder), chat["prompts"].get("format"))
    if chat["prompts"].get("shuffle") is not None:
        drawn = random.Random(number(chat["prompts"], "shuffle", int, 0))
        prompts = tuple(drawn.sample(prompts, len(prompts)))
    training = _training_prompts(chat["prompts"], folder, prompts)
    generation = _generation(chat["generation"])
    format = checked_format(chat.get("format", CHAT_TEMPLATE), answered=False)
    read = [_reward(entry, i == 0, folder, split, prompts, may_run) for i, entry in enumerate(rewards) if i or not program]
    if program:
        axis = Axis(REWARD, f"Reward by {Path(program.rpartition(':')[0]).name}", "points")
        read.insert(0, Reward(PROGRAM, axis, program, content=programs.content(program)))
    for reward in read:
        if reward.kind == KL_TO_REFERENCE and (generation.temperature == 0 or generation.top_p < 1):
            raise ValueError(
                f"a KL is estimated from plain samples, and 'temperature' is {generation.temperature} and 'top_p' is "
                f"{generation.top_p}: expected a temperature above 0 and a top_p of 1"
            )
    return Chat(prompts, format, generation, tuple(read), training)


def _training_prompts(data: Mapping[str, Any], folder: Path, asked: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The prompts under "train", if any. Raises SuiteError for one that is asked when measuring, too."""
    if "train" not in data:
        return ()
    prompts = read_prompts(find_files(data["train"], folder), data.get("format"))
    measured = {prompt.turns: prompt.id for prompt in asked}
    if seen := next((prompt for prompt in prompts if prompt.turns in measured), None):
        raise SuiteError(
            f"The training prompt '{seen.id}' is also asked when measuring, as '{measured[seen.turns]}': alphas fitted on it "
            "would be measured on what chose them. Leave it out of the training prompts."
        )
    return prompts


def _generation(data: str | Mapping[str, Any]) -> Generation:
    """A preset by its name, a preset with changes, or all settings."""
    given = {"preset": data} if isinstance(data, str) else dict(data)
    preset = given.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"the generation preset '{preset}' is unknown, expected one of: {', '.join(PRESETS)}")
    fields = Generation.__dataclass_fields__
    refuse_unknown("generation", given, tuple(fields))
    values = {**asdict(PRESETS[preset]), **given} if preset else given
    stops, skip = values.get("stops", ()), values.get("skip_long", False)
    if isinstance(stops, str) or not all(isinstance(stop, str) and stop for stop in stops):
        raise TypeError(f"'stops' is {stops!r}, expected a list of texts")
    if not isinstance(skip, bool):
        raise TypeError(f"'skip_long' is {skip!r}, expected true or false")
    longest = None if values.get("max_prompt_tokens") is None else number(values, "max_prompt_tokens", int, 1)
    return Generation(
        max_new_tokens=number(values, "max_new_tokens", int, 1),
        temperature=number(values, "temperature", float, 0),
        top_p=number(values, "top_p", float, 0, 1),
        seed=number(values, "seed", int, 0),
        stops=tuple(stops),
        max_prompt_tokens=longest,
        skip_long=skip,
    )


_SHOWN = ("kind", "name", "title", "unit")
_FIELDS = {
    PROGRAM: ("function",),
    REWARD_MODEL: ("model", "format", "allow"),
    PAIRRM: ("ranker", "base", "baseline"),
    POLICY_LIKELIHOOD: (),
    KL_TO_REFERENCE: (),
}
"""What an entry of each kind may say beside ``_SHOWN``."""

_TITLES = {
    PROGRAM: ("Alignment reward", "points"),
    REWARD_MODEL: ("Alignment reward", "points"),
    PAIRRM: ("Win rate", "% wins"),
    POLICY_LIKELIHOOD: ("Likelihood of policy (proxy)", "nats a token of its answers"),
    KL_TO_REFERENCE: ("Minus KL to reference (proxy)", "nats an answer"),
}


def _reward(
    data: Mapping[str, Any], is_first: bool, folder: Path, split: str, prompts: Sequence[Prompt], may_run: bool
) -> Reward:
    kind = data["kind"]
    if kind not in _FIELDS:
        raise ValueError(f"a reward is of kind '{kind}', expected one of: {', '.join(_FIELDS)}")
    refuse_unknown(f"a reward of kind {kind}", data, _SHOWN + _FIELDS[kind])
    axis = _axis(data, is_first)
    if kind == PROGRAM:
        judge = str(data["function"])
        if judge.rpartition(":")[0].endswith(".py"):
            raise SuiteError(f"The suite names the reward program '{judge}'. A file is named on the command line only: --reward.")
        if not may_run and judge not in SHIPPED_PROGRAMS:
            raise SuiteError(
                f"The suite names the reward program '{judge}', which would be run. Programs are run only for suites that are "
                "named on the command line: python -m hma app --suite FILE."
            )
        return Reward(kind, axis, judge, content=programs.content(judge))
    if kind == REWARD_MODEL:
        model = find_judge(data["model"], folder, data.get("allow", ()))
        check_labels(model)
        format = checked_format(data.get("format", CHAT_TEMPLATE), answered=True)
        files = hashes(model)
        return Reward(kind, axis, str(model), format=format, files=files, content=[format, *files])
    return _pairrm(data, axis, folder, split, prompts) if kind == PAIRRM else Reward(kind, axis)


def _pairrm(data: Mapping[str, Any], axis: Axis, folder: Path, split: str, prompts: Sequence[Prompt]) -> Reward:
    ranker = find_judge(data["ranker"], folder)
    base = find_judge(data["base"], folder) if "base" in data else find_judge(base_of(ranker), ranker)
    baseline, answers = data["baseline"], {}
    if baseline not in (REFERENCE, POLICY):
        if not isinstance(baseline, Mapping):
            raise ValueError(f"'baseline' is {baseline!r}, expected 'reference', 'policy', or a file of answers for each split")
        refuse_unknown("baseline", baseline, ("validation", "test"))
        answers, baseline = read_answers(find_files(baseline[split], folder), prompts), FILE
    name = axis.name
    details = (
        Axis(f"{name}_ties", f"{axis.title}: ties", "% of answers"),
        Axis(f"{name}_words", f"{axis.title}: length", "words an answer"),
        Axis(f"{name}_baseline_words", f"{axis.title}: baseline length", "words an answer"),
    )
    files = [hashes(ranker), hashes(base)]
    content = [baseline, sorted(answers.items()), *files]
    return Reward(PAIRRM, axis, str(ranker), str(base), CHAT_TEMPLATE, baseline, answers, details, files, content)


def _axis(data: Mapping[str, Any], is_first: bool) -> Axis:
    """A reward's axis; a proxy's name and title say what it is. The first is the reward; the others have names of their own."""
    title, unit = _TITLES[data["kind"]]
    title, unit = data.get("title", title), data.get("unit", unit)
    if is_first and data.get("name", REWARD) != REWARD:
        raise ValueError(
            f"the first reward has the name {data['name']!r}, and is always called '{REWARD}': leave its name out, or give it a "
            "'title', which is what is shown"
        )
    if not is_first and "name" not in data:
        raise ValueError(f"a further reward, of kind '{data['kind']}', has no 'name'; only the first may leave it out")
    name = axis_of(REWARD if is_first else data["name"], title, unit).name
    if data["kind"] in PROXIES:
        title = title if "proxy" in title.lower() else f"{title} (proxy)"
        name = name if is_first or name.startswith("proxy_") else f"proxy_{name}"
    return Axis(name, title, unit)
