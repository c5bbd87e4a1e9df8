"""Studies: one pair and one suite, the ground on which points can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hma.core.partition import Partition
from hma.core.recipe import Recipe, digest


@dataclass(frozen=True)
class Axis:
    """A score's name, its title and unit on screen, and, for an ability, the group it counts in."""

    name: str
    title: str
    unit: str
    group: str = ""


@dataclass(frozen=True)
class Study:
    """One pair and one suite. Only points of one study ever stand on one chart.

    ``pair`` and ``suite`` are fingerprints of contents; ``reference``, ``policy`` and ``suite_path`` say
    where a worker opens them. ``split`` is "validation" (for choosing alphas) or "test" (for reporting).
    ``size`` names how many items are looked at, ``num_items`` of each task and of chat prompts: the first so many,
    so that a point measured at a larger size is seen at every smaller one. ``extras`` are further scores
    of the chat answers, beside the chart's ``reward``: other rewards, proxies, and details such as ties and lengths.
    ``allow`` is what of the checkpoints a person allowed beside safetensors for this session, and ``program`` the
    reward program that was named on the command line: these two are never written down.
    """

    title: str
    reference: str
    policy: str
    pair: str
    suite_path: str
    suite: str
    split: str
    size: str
    num_items: int
    num_layers: int
    reward: Axis
    abilities: tuple[Axis, ...]
    extras: tuple[Axis, ...] = ()
    allow: tuple[str, ...] = ()
    program: str = ""

    @property
    def key(self) -> str:
        """The study's name: the same for the same contents, wherever they lie, and at every size."""
        return digest({"pair": self.pair, "suite": self.suite})

    @property
    def view(self) -> str:
        """A name for the study as it is seen at its size."""
        return f"{self.key}-{self.num_items}"

    @property
    def groups(self) -> Mapping[str, list[str]]:
        """Ability groups in order, each with its tasks' names."""
        groups: dict[str, list[str]] = {}
        for axis in self.abilities:
            groups.setdefault(axis.group or axis.name, []).append(axis.name)
        return groups

    @property
    def shares(self) -> frozenset[str]:
        """The chat scores that are in per cent, by their units: win rates and their ties."""
        return frozenset(axis.name for axis in (self.reward, *self.extras) if axis.unit.startswith("%"))

    def partition(self, num_blocks: int | None = None) -> Partition:
        """Equal blocks of this study's model: three, or as many as it has layers where those are fewer."""
        return Partition.equal(self.num_layers, min(3, self.num_layers) if num_blocks is None else num_blocks)

    def point_key(self, recipe: Recipe) -> str:
        """The name of the point that this recipe makes in this study.

        What counts is the model: equal alphas over any partition share a key.
        """
        return digest({"study": self.key, **recipe.identity})

    def to_dict(self) -> dict[str, Any]:
        """Everything but ``allow`` and ``program``."""
        data = asdict(self)
        del data["allow"], data["program"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Study:
        """The inverse of ``to_dict``."""
        abilities, extras = (tuple(Axis(**axis) for axis in data.get(name, ())) for name in ("abilities", "extras"))
        return cls(**{**data, "reward": Axis(**data["reward"]), "abilities": abilities, "extras": extras})


DELTA = "delta"
"""The kind of what is kept of a pair's changes: for each block of layerwise partition and its own parts, in their order, a
dict of name, weights, changed_share, by_one_share and relative_norm."""


def changes_key(study: Study) -> str:
    """The name under which the changes of a study's pair are kept, whatever its suite."""
    return digest({DELTA: study.pair})
