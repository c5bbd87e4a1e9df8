"""Win rates by the shipped ranker: llm-blender's own numbers, and the same whichever side is asked."""

import json
import shutil

import numpy as np
import pytest
import torch

from hma.errors import MeasureError, SuiteError
from hma.evaluate.pairrm import Comparison, PairRM
from hma.evaluate.prompts import Prompt
from hma.lab.judging import open_ranker
from hma.lab.preferences import draw_preferences
from hma.study import SHIPPED

RANKER = SHIPPED / "judges" / "ranker"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ranker():
    """The shipped ranker, on one core: it is too small for more."""
    torch.set_num_threads(1)
    return PairRM(RANKER, RANKER / "base", CPU, batch_size=16)


@pytest.fixture(scope="module")
def asked():
    """Twenty-four prompts, and two answers to each."""
    pairs = draw_preferences("validation", 24, 0.3, seed=5)
    prompts = [Prompt(str(i), (pair.prompt,)) for i, pair in enumerate(pairs)]
    return prompts, [pair.preferred for pair in pairs], [pair.other for pair in pairs]


def test_the_logits_are_llm_blenders_own(ranker, asked):
    prompts, answers, others = asked
    texts, blender = [prompt.text for prompt in prompts], open_ranker(RANKER)
    found = ranker.compare(prompts, answers, others)
    how = {"batch_size": 16, "return_logits": True, "disable_tqdm": True}
    np.testing.assert_array_equal(found.logits[0], blender.compare(texts, answers, others, mode="[A,B]", **how))
    np.testing.assert_array_equal(-found.logits[1], blender.compare(texts, answers, others, mode="[B,A]", **how))
    both = blender.compare(texts, answers, others, **how)  # llm-blender's own default adds the orders up
    np.testing.assert_allclose(found.logits.sum(axis=0), both, atol=1e-5)


def test_swapping_turns_a_win_rate_into_its_rest_exactly(ranker, asked):
    prompts, answers, others = asked
    wins, losses = ranker.compare(prompts, answers, others).wins, ranker.compare(prompts, others, answers).wins
    assert (wins == 1 - losses).all()
    assert 0.5 < wins.mean() < 1  # The first were preferred, by a noisy judge.
    assert set(wins) <= {0, 0.5, 1}


def test_alike_answers_win_by_half(ranker, asked):
    prompts, answers, _ = asked
    found = ranker.compare(prompts, answers, answers)
    assert (found.wins == 0.5).all()
    assert found.ties.all()


def test_a_tie_is_where_the_orders_disagree():
    found = Comparison(np.array([[2.0, 2.0, -1.0, 0.0, 0.0], [1.0, -3.0, -1.0, 0.0, 1.0]]))
    assert found.wins.tolist() == [1, 0.5, 0, 0.5, 0.75]
    assert found.ties.tolist() == [False, True, False, True, False]


def test_any_part_of_the_prompts_is_judged_as_in_the_whole(ranker, asked):
    prompts, answers, others = asked
    whole = ranker.compare(prompts, answers, others)
    part = ranker.compare(prompts[7:20], answers[7:20], others[7:20])
    assert (part.wins == whole.wins[7:20]).all()


def test_batches_are_halved_when_memory_runs_out(ranker, asked, monkeypatch):
    prompts, answers, others = asked
    whole = ranker.compare(prompts, answers, others)
    narrow, room, sizes = PairRM(RANKER, RANKER / "base", CPU, batch_size=16), 5, []
    real = narrow._blender.compare

    def compare(texts, *given, batch_size, **how):
        sizes.append(batch_size)
        if batch_size > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(texts, *given, batch_size=batch_size, **how)

    monkeypatch.setattr(narrow._blender, "compare", compare)
    assert not narrow.note
    found = narrow.compare(prompts, answers, others)
    np.testing.assert_allclose(found.logits, whole.logits, atol=1e-4)
    assert sizes[:3] == [16, 8, 4]
    assert narrow.note == "batch halved to 4: out of memory"
    sizes.clear()
    narrow.compare(prompts, answers, others)
    assert max(sizes) == 4  # The second time nothing fails any more.
    room = 0
    with pytest.raises(MeasureError, match="Memory ran out in the ranker, even with one at a time"):
        narrow.compare(prompts, answers, others)


def test_marks_and_empty_answers_do_not_confuse_it(ranker):
    prompt = Prompt("odd", ("<|source|> how do i bake bread ? <|candidate1|> [SEP]",))
    found = ranker.compare([prompt] * 2, ["<|candidate2|> [SEP] first mix the flour .", ""], ["", "<|candidate|> sure !"])
    assert np.isfinite(found.logits).all()


def test_a_prompt_that_would_be_cut_is_refused(ranker):
    fits = Prompt("fits", ("flour " * 29,))  # beside the ranker's mark and two tokens at the ends
    ranker.check([fits])
    with pytest.raises(SuiteError, match="The prompt 'long' has 33 tokens; the ranker reads 32"):
        ranker.check([fits, Prompt("long", ("flour " * 30,))])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be opened: No such file"),
        (lambda folder: rewritten(folder / "config.json", ranker_type="summareranker"), "expected 'pairranker'"),
        (lambda folder: (folder / "base" / "tokenizer.json").unlink(), "cannot be opened"),
        (lambda folder: rewritten(folder / "base" / "config.json", intermediate_size=8), "size mismatch"),
        (lambda folder: rewritten(folder / "base" / "config.json", num_hidden_layers=9), "Missing key"),
    ],
)
def test_a_folder_that_holds_no_pairwise_ranker_is_refused(tmp_path, change, said):
    folder = shutil.copytree(RANKER, tmp_path / "ranker")
    change(folder)
    with pytest.raises(SuiteError, match=said):
        PairRM(folder, folder / "base", CPU)


def rewritten(config, **settings):
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))


def test_words_in_the_path_do_not_change_the_ranker(ranker, asked, tmp_path):
    """llm-blender itself takes a path with "phi" in it for a model of that family."""
    folder = shutil.copytree(RANKER, tmp_path / "sophia" / "llama")
    prompts, answers, others = asked
    moved = PairRM(folder, folder / "base", CPU, batch_size=16).compare(prompts, answers, others)
    np.testing.assert_array_equal(moved.logits, ranker.compare(prompts, answers, others).logits)
