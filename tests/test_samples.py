"""Samples by their store: what is read, found and put in order."""

from dataclasses import replace

import pytest

from hma import samples
from hma.core.recipe import Recipe
from hma.samples import Answer, Sample
from hma.store import Store
from hma.study import open_study
from tests.ui import world


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(*world.write(tmp_path_factory.mktemp("world")))


def silent(measurement):
    """The measurement without its answers."""
    reward = replace(measurement.results["reward"], outputs=None)
    return replace(measurement, results={**measurement.results, "reward": reward})


def recipe(study, alpha):
    return Recipe(study.partition(), (alpha,) * 3)


def test_answers_are_read_of_those_who_kept_them_each_with_its_reward(tmp_path, study):
    store = Store(tmp_path / "points.sqlite")
    one, other = (store.add(study, world.measurement(study, recipe(study, alpha))) for alpha in (0.0, 1.0))
    quiet = store.add(study, silent(world.measurement(study, recipe(study, 0.5))))
    assert store.answered(study) == {one.key, other.key}
    found = samples.read(store, study, {"validation-3": "Three?"}, [one, quiet, other])
    assert [sample.place for sample in found] == list(range(study.num_items))
    assert [found[3].prompt, found[4].prompt] == ["Three?", "validation-4"]
    result = store.results(one.key)["reward"]
    assert all(set(sample.answers) == {one.key, other.key} for sample in found)
    assert [s.answers[one.key] for s in found] == [Answer(w, r) for w, r in zip(result.outputs, result.items[:, 0], strict=True)]
    assert found[3].gain(one.key, quiet.key) is None
    larger = replace(study, size="full", num_items=80)
    assert store.answered(larger) == frozenset()


def sample(place, prompt, **said):
    return Sample(place, f"i{place}", prompt, {key: Answer(*answer) for key, answer in said.items()})


SAMPLES = [
    sample(0, "Tea?", one=("boil it", 1.0), ref=("boil it", 0.0), pol=("boil", 5.0)),
    sample(1, "A wall?", one=("paint the whole wall", 2.0), ref=("no", -2.0), pol=("paint the wall", 2.5)),
    sample(2, "Soup?", one=("stir", 0.0), ref=("stir gently", 0.5), pol=("Boil TEA", 1.0)),
    sample(3, "Bread?", one=("bake", 9.0)),
]


@pytest.mark.parametrize(
    ("order", "places"),
    [
        (samples.AS_ASKED, [0, 1, 2, 3]),
        (samples.GAIN, [1, 0, 2, 3]),
        (samples.LOSS, [0, 2, 1, 3]),
        (samples.LONGEST, [1, 0, 2, 3]),
        (samples.UNLIKE, [1, 2, 0, 3]),
    ],
)
def test_an_order_has_the_most_first_and_what_cannot_be_compared_last(order, places):
    found = samples.ordered(SAMPLES[::-1], order, "one", "ref", "pol", "ref")
    assert [sample.place for sample in found] == places


def test_every_word_is_sought_in_one_text_whatever_its_case():
    assert [s.place for s in SAMPLES if s.holds("BOIL it")] == [0]
    assert [s.place for s in SAMPLES if s.holds("tea")] == [0, 2]
    assert not [s for s in SAMPLES if s.holds("tea wall")]
    assert len([s for s in SAMPLES if s.holds("")]) == 4
