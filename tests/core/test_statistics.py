"""Values, standard errors and intervals from per-item results, against independent oracles."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hma.core import statistics
from hma.core.point import scores_of
from hma.core.statistics import Result

words = st.lists(st.sampled_from("a b c d e".split()), min_size=0, max_size=9).map(" ".join)


def _bleu_items(answers, references):
    metric = sacrebleu.BLEU()
    rows = []
    for answer, reference in zip(answers, references, strict=True):
        score = metric.corpus_score([answer], [[reference]])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=float)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(words, words.filter(bool)), min_size=1, max_size=6))
def test_bleu_equals_sacrebleu(pairs):
    answers, references = zip(*pairs, strict=True)
    ours = statistics.bleu(_bleu_items(answers, references).sum(axis=0))
    assert ours == pytest.approx(sacrebleu.corpus_bleu(list(answers), [list(references)]).score, abs=1e-9)


def _mean(values, name="i"):
    return Result("mean", np.array(values, dtype=float).reshape(-1, 1), tuple(f"{name}{i}" for i in range(len(values))))


def mean_ability(results, groups):
    return scores_of([results], groups)[0][1]


def test_points_scored_together_are_those_scored_alone():
    generator = np.random.default_rng(4)
    bleu = _bleu_items(["a b c d e", "b c d", "a a b c d"], ["a b c d e", "b c d e", "a b c d"])
    points = [
        {
            "reward": _mean(generator.normal(0, 1, 40)),
            "a": _mean(generator.random(40)),
            "b": Result("bleu", bleu + i % 3, ("x", "y", "z")),
        }
        for i in range(450)  # more than are resampled by one product
    ]
    groups = {"a": ["a"], "b": ["b"]}
    for together, point in zip(scores_of(points, groups), points, strict=True):
        alone = scores_of([point], groups)[0]
        for one, other in zip([*together[0].values(), together[1]], [*alone[0].values(), alone[1]], strict=True):
            assert one.num_items == other.num_items
            for name in ("value", "standard_error", "low", "high"):
                assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)


def test_mean_and_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 400)
    result = _mean(values)
    assert statistics.value(result) == pytest.approx(values.mean())
    assert statistics.standard_error(result) == pytest.approx(values.std(ddof=1) / 20)
    assert statistics.resampled(result).std() == pytest.approx(statistics.standard_error(result), rel=0.1)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        score = mean_ability({"a": _mean(generator.normal(0, 1, 80))}, {"g": ["a"]})
        covered += score.low <= 0 <= score.high
    assert 0.90 <= covered / 300 <= 0.99


@pytest.mark.parametrize("num_items", [1, 10, 100])
@pytest.mark.parametrize("end", [0.0, 100.0])
def test_items_that_are_all_at_one_end_have_wilsons_interval(num_items, end):
    results = {"a": _mean([end] * num_items), "reward": _mean([end] * num_items), "wins": _mean([end] * num_items)}
    ((scores, mean),) = scores_of([results], {"a": ["a"]}, shares=["wins", "gone"])
    wilson = stats.binomtest(num_items if end else 0, num_items).proportion_ci(method="wilson")
    for score in (scores["a"], scores["wins"], mean):
        assert (score.value, score.low, score.high) == pytest.approx((end, 100 * wilson.low, 100 * wilson.high), abs=1e-9)
        assert score.standard_error == pytest.approx(100 * (wilson.high - wilson.low) / 2 / 1.96, rel=1e-4)
    assert scores["reward"].low == scores["reward"].high == end  # Of its scale nothing is known.
    assert not mean.samples.std()  # Paired differences are of resamples, and stay as they are.


@pytest.mark.parametrize("items", [[100.0] * 9 + [0.0], [50.0] * 10, [1.0] * 10, [100.0] * 9 + [99.0]])
def test_all_other_items_keep_their_bits(items):
    result = _mean(items)
    ((scores, mean),) = scores_of([{"a": result}], {"a": ["a"]})
    samples = statistics.resampled(result)
    assert (scores["a"].low, scores["a"].high) == (mean.low, mean.high) == statistics.interval(samples)
    assert scores["a"].standard_error == statistics.standard_error(result)
    assert mean.standard_error == samples.std(ddof=1)


def test_the_interval_of_a_mean_with_a_task_at_its_end_holds_the_truth():
    generator, truth, held, narrow = np.random.default_rng(5), {"a": 0.97, "b": 0.6}, 0, 0
    for _ in range(400):
        drawn = {name: _mean(100.0 * (generator.random(30) < share)) for name, share in truth.items()}
        while drawn["a"].items.min() == 0:  # Such draws are those that had no width at all.
            drawn["a"] = _mean(100.0 * (generator.random(30) < truth["a"]))
        ((scores, mean),) = scores_of([drawn], {"g": ["a", "b"]})
        assert scores["a"].low < 97 < scores["a"].high
        held += mean.low <= 78.5 <= mean.high
        narrow += statistics.interval(mean.samples)[0] <= 78.5 <= statistics.interval(mean.samples)[1]
    assert narrow <= held
    assert 0.93 <= held / 400 <= 1


def test_resamples_are_paired_by_item_and_independent_between_seeds():
    result = _mean(np.random.default_rng(2).normal(0, 1, 100))
    shifted = _mean(result.items[:, 0] + 1.0)
    np.testing.assert_allclose(statistics.resampled(shifted) - statistics.resampled(result), 1.0)
    correlation = np.corrcoef(statistics.resampled(result), statistics.resampled(result, seed=1))[0, 1]
    assert abs(correlation) < 0.15


def test_mean_ability_is_the_mean_of_groups_not_of_tasks():
    results = {"a": _mean([0, 0]), "b": _mean([100, 100]), "c": _mean([50, 50])}
    assert mean_ability(results, {"g": ["a", "b"], "h": ["c"]}).value == 50
    assert mean_ability(results, {"g": ["a", "b", "c"], "h": ["b"]}).value == 75


def test_the_error_of_the_mean_ability_is_that_of_independent_tasks():
    generator = np.random.default_rng(3)
    results = {name: _mean(generator.normal(0, 1, 100)) for name in "abc"}
    expected = np.sqrt(sum(statistics.standard_error(r) ** 2 for r in results.values())) / 3
    assert mean_ability(results, {n: [n] for n in results}).standard_error == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(
    ("aggregation", "items", "ids"),
    [
        ("mean", [[float("nan")]], ("a",)),
        ("mean", [[1.0, 2.0]], ("a",)),
        ("bleu", [[1.0]], ("a",)),
        ("mean", [[1.0]], ("a", "b")),
        ("mean", np.zeros((0, 1)), ()),
        ("median", [[1.0]], ("a",)),
    ],
)
def test_broken_results_do_not_exist(aggregation, items, ids):
    with pytest.raises(ValueError):
        Result(aggregation, np.array(items), ids)
