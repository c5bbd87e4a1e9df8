"""Samples under AppTest: answers side by side, the lists of prompts, blind votes, and what stands there without answers."""

import csv
import html
import re
from dataclasses import replace
from functools import partial

import pytest

from hma import text
from hma.core.ballot import ONE
from hma.core.difference import difference
from hma.core.recipe import Recipe
from hma.store import Store
from hma.ui import access, blind
from tests.test_samples import silent
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, key_of, texts


@pytest.fixture
def page(on_page):
    return partial(on_page, "samples")


def box(test, beginning):
    return next(b for b in test.selectbox if b.key.startswith(beginning))


def control(test, beginning):
    return next(c for c in test.segmented_control if c.key.startswith(beginning))


def pin(test, key):
    return box(test, "pin_").set_value(key).run()


def order(test, name):
    return box(test, "order_").set_value(name).run()


def marked(test):
    return next((e.proto.body for e in test.get("html") if 'class="hma-marked"' in e.proto.body), None)


def plain_of(body):
    return html.unescape(re.sub(r"<[^>]*>", "", body))


def counted(test):
    return next(caption for caption in texts(test, "caption") if re.match(r"\d+ of \d+", caption))


def test_three_answers_to_one_prompt_stand_side_by_side_with_their_rewards(page, study, filled):
    test = page(link=key_of(study, 0.5, 0.5, 0.5))
    assert calm(test)
    assert choice(test).value == key_of(study, 0.5, 0.5, 0.5)
    captions = texts(test, "caption")
    for title, alphas in (("Reference", (1,) * 3), ("MA 0.5", (0.5,) * 3), ("Policy", (0,) * 3)):
        reward = Store(filled).results(key_of(study, *alphas))["reward"].items[0, 0]
        assert f"**{title}**  \nreward {reward:.2f}".replace("-", "−") in captions
    assert sum("Answer 0 of" in said for said in texts(test, "text")) == 2  # the point's own is marked
    assert "Answer 0 of (0.5, 0.5, 0.5). Happy" in plain_of(re.sub(r" <del>.*?</del>", "", marked(test))).replace("+", "")
    assert "How do I look after plant 0?" in texts(test, "text")
    one, reference = (Store(filled).point(key_of(study, *(a,) * 3)) for a in (0.5, 1))
    said = next(c for c in captions if "against the reference" in c)
    found = difference(one.reward, reference.reward)
    assert f"reward {text.signed(found.value, found.half_width)} (95 %: {text.interval(found.low, found.high)})" in said
    assert "temperature 1 with seed 3" in said


def test_differences_have_a_tag_and_a_sign_and_can_be_off_or_against_the_policy(page, study):
    test = page(link=key_of(study, 0.5, 0.5, 0.5))
    assert "<del><b>−</b>(1.0,</del>" in marked(test) or "<del><b>−</b>(1.0, 1.0, 1.0).</del>" in marked(test)
    assert "<ins><b>+</b>(0.5, 0.5, 0.5).</ins>" in marked(test)
    control(test, "against_").set_value("policy").run()
    assert "(0.0, 0.0, 0.0)." in marked(test) and "(1.0" not in marked(test)
    test.toggle(key="marked").set_value(False).run()
    assert marked(test) is None
    assert sum("Answer 0 of" in said for said in texts(test, "text")) == 3


def test_a_dangerous_answer_or_prompt_stays_text(page, tmp_path, study, monkeypatch):
    store = Store(tmp_path / "trap.sqlite")
    world.fill(store, study, grid=0, sweep=5, answer=world.TRAP)
    store.add(study, world.measurement(study, Recipe(study.partition(), (0.3,) * 3), answer=f"{world.TRAP} and more"))
    prompts = [replace(prompt, turns=(world.TRAP,)) for prompt in access.chat(study).prompts]
    chat = replace(access.chat(study), prompts=tuple(prompts))
    monkeypatch.setattr(access, "chat", lambda of: chat)
    test = page(store=store.path, link=key_of(study, 0.3, 0.3, 0.3))
    assert calm(test)
    assert texts(test, "text").count(world.TRAP) == 3  # prompt, reference, policy
    assert plain_of(marked(test)).replace("+and more", "and more") == f"{world.TRAP} and more"
    assert not re.search(r"<(?!/?(div|ins|del|b)\b)", marked(test))
    button(test.segmented_control(key="samples_view").set_value("blind").run(), "blind_begin").click().run()
    assert any(world.TRAP in said for said in texts(test, "text"))
    for kind in ("markdown", "caption", "error", "warning", "info"):
        assert not any("<script>" in value for value in texts(test, kind))
    assert not any("<script>" in element.proto.body for element in test.get("html"))


def test_the_list_is_turned_by_buttons_with_keys_and_explore_reads_the_same_prompt(page):
    test = page()
    assert counted(test) == "1 of 40 prompts"
    assert [button(test, key).proto.shortcut for key in ("sample_back", "sample_on")] == ["p", "n"]
    button(test, "sample_on").click().run()
    assert counted(test) == "2 of 40 prompts"
    test.switch_page("pages/explore.py").run()
    assert sum("Answer 1 of" in said for said in texts(test, "text")) == 3
    test.switch_page("pages/samples.py").run()
    for _ in range(2):
        button(test, "sample_back").click().run()
    assert counted(test) == "40 of 40 prompts"


def test_prompts_are_searched_and_put_in_order_from_the_first(page, study, filled):
    one, reference, policy = (key_of(study, *(a,) * 3) for a in (0.5, 1, 0))
    test = page(link=one)
    rewards = {key: Store(filled).results(key)["reward"].items[:, 0] for key in (one, reference, policy)}
    for name, sizes in (("gain", rewards[one] - rewards[reference]), ("loss", rewards[policy] - rewards[one])):
        button(test, "sample_on").click().run()
        order(test, name)
        assert counted(test) == "1 of 40 prompts"
        assert f"How do I look after plant {sizes.argmax()}?" in texts(test, "text")
        listed = [int(re.search(r"\d+", prompt)[0]) for prompt in test.dataframe[0].value["prompt"]]
        assert listed == (-sizes).argsort(kind="stable").tolist()
    test.text_input(key="samples_sought").set_value("plant 3?").run()
    assert counted(test) == "1 of 4 of 40 prompts"  # 3, 13, 23 and 33
    test.text_input(key="samples_sought").set_value("<b>nothing</b>").run()
    assert "No prompt and no answer holds" in test.info[0].value and "<b>" not in test.info[0].value
    assert not test.dataframe


def test_the_table_has_every_reward_and_difference(page, study, filled):
    one, reference = key_of(study, 0.5, 0.5, 0.5), key_of(study, 1, 1, 1)
    table = page(link=one).dataframe[0].value
    assert list(table) == [
        "prompt", "reward, Reference", "reward, MA 0.5", "reward, Policy", "gain over the reference",
        "words unlike the reference", "words",
    ]  # fmt: skip
    rewards = {key: Store(filled).results(key)["reward"].items[:, 0] for key in (one, reference)}
    assert table["reward, MA 0.5"].tolist() == rewards[one].tolist()
    assert table["gain over the reference"].tolist() == pytest.approx((rewards[one] - rewards[reference]).tolist())


def test_a_pinned_point_is_a_fourth_answer_and_stays(page, study):
    test = pin(page(link=key_of(study, 0.5, 0.5, 0.5)), key_of(study, 0.2, 0.2, 0.2))
    captions = "\n".join(texts(test, "caption"))
    assert "**A: MA 0.5**" in captions and "**B: MA 0.2**" in captions
    assert control(test, "against_").options == ["the reference", "B", "the policy"]
    test.switch_page("pages/explore.py").run()
    test.switch_page("pages/samples.py").run()
    assert "**B: MA 0.2**" in "\n".join(texts(test, "caption"))
    choice(test).set_value(key_of(study, 0.2, 0.2, 0.2)).run()  # selected and pinned at once: no point beside itself
    assert "B:" not in "\n".join(texts(test, "caption"))


def test_an_end_that_is_selected_or_pinned_stands_there_once(page, study):
    test = page(link=key_of(study, 1, 1, 1))
    assert calm(test)
    assert "largest gain" not in str(box(test, "order_").options).lower()
    assert control(test, "against_").options == ["the policy"]
    pin(test, key_of(study, 0, 0, 0))
    assert control(test, "against_").options == ["B"]
    assert calm(test)


def test_without_any_points_or_answers_it_says_why_and_what_to_do(page, tmp_path, study):
    test = page(store=tmp_path / "empty.sqlite")
    assert calm(test)
    assert "Nothing is measured on these 40 validation items" in everything(test)
    store = Store(tmp_path / "silent.sqlite")
    store.add(study, silent(world.measurement(study, Recipe(study.partition(), (0.0,) * 3))))
    test = page(store=store.path)
    assert calm(test)
    assert "None of the 1 points on these 40 validation items kept its answers" in everything(test)


def test_where_only_some_have_answers_it_leads_to_one_that_has(page, tmp_path, study):
    store = Store(tmp_path / "some.sqlite")
    for alpha, keeps in ((0.0, True), (0.4, True), (0.5, False), (1.0, False)):
        measured = world.measurement(study, Recipe(study.partition(), (alpha,) * 3))
        store.add(study, measured if keeps else silent(measured))
    test = page(store=store.path, link=key_of(study, 0.5, 0.5, 0.5))
    assert "MA 0.5 kept no answers; 2 of the 4 points on these items did." in test.info[0].value
    button(test, "select_near").click().run()
    assert choice(test).value == key_of(study, 0.4, 0.4, 0.4)
    assert calm(test) and not test.info
    assert control(test, "against_").options == ["the policy"]  # the reference kept none


def blindly(test):
    test.segmented_control(key="samples_view").set_value("blind").run()
    return button(test, "blind_begin").click().run()


def ballot(test):
    (found,) = test.session_state["ballots"].values()
    return found


def test_before_the_reveal_nothing_on_the_page_hangs_on_who_wrote_which(page, study, monkeypatch):
    """Two seeds that ask the same prompt first and place the answers the other way round differ in the two texts alone."""
    seen = {}
    for seed in range(2000):
        made = blind.Ballot.drawn([f"validation-{i}" for i in range(40)], seed)
        seen.setdefault((made.items[0], made.writers(0)[0]), seed)
        if made.items[0] == "validation-7" and len([key for key in seen if key[0] == "validation-7"]) == 2:
            break
    pages = []
    for writer in ("one", "other"):
        monkeypatch.setattr(blind.secrets, "randbits", lambda bits, seed=seen["validation-7", writer]: seed)
        test = blindly(page(link=key_of(study, 0.5, 0.5, 0.5)))
        assert calm(test)
        left, right = (said for said in texts(test, "text") if said.startswith("Answer 7"))
        sent = sorted(str(element.proto) for element in test._tree if hasattr(element, "proto"))
        pages.append((left, right, sent))
    (left, right, one), (mirrored, back, other) = pages
    assert (left, right) == (back, mirrored) and left != right
    assert one == other
    assert len(one) > 20
    assert "download" not in "".join(one).lower()


def test_votes_are_cast_taken_back_and_revealed_with_their_interval(page, study):
    test = blindly(page(link=key_of(study, 0.5, 0.5, 0.5)))
    assert button(test, "blind_reveal").disabled and button(test, "blind_back").disabled
    assert "session alone" in everything(test)
    for _ in range(8):
        mine = ballot(test).writers(len(ballot(test).votes))[0] == ONE
        button(test, "vote_left" if mine else "vote_right").click().run()
    button(test, "vote_tie").click().run()
    button(test, "vote_skip").click().run()
    button(test, "vote_skip").click().run()
    button(test, "blind_back").click().run()
    assert "MA 0.5** won" not in everything(test)
    button(test, "blind_reveal").click().run()
    assert calm(test)
    said = everything(test)
    low, high = ballot(test).tally.interval
    assert f"**MA 0.5** won 94 % of 9 votes against the reference (95 %: {100 * low:.0f} to {100 * high:.0f} %)" in said
    assert "8 for it, 0 against, 1 tie, 1 skipped." in said
    assert "No preference is shown" not in said
    table = test.dataframe[0].value
    assert table["preferred"].tolist() == ["MA 0.5"] * 8 + [""] * 2
    assert table["vote"].tolist()[8:] == ["tie", "skipped"]
    button(test, "blind_again").click().run()
    assert ballot(test).votes == () and not ballot(test).closed


def test_few_votes_show_no_preference(page):
    test = blindly(page())
    button(test, "vote_left").click().run()
    button(test, "blind_reveal").click().run()
    assert "No preference is shown" in everything(test)


def test_the_votes_are_taken_away_as_csv_in_which_nothing_is_a_formula():
    rows = [{"item": "=1+1", "prompt": 'a "b", c', "reward left": -1.5}, {"item": "i", "prompt": "@x", "reward left": 2.0}]
    read = list(csv.DictReader(blind._csv(rows).splitlines()))
    assert read == [
        {"item": "'=1+1", "prompt": 'a "b", c', "reward left": "-1.5"},
        {"item": "i", "prompt": "'@x", "reward left": "2.0"},
    ]


def test_equal_answers_are_no_question(page, tmp_path, study):
    store = Store(tmp_path / "alike.sqlite")
    world.fill(store, study, grid=0, sweep=3, answer="the same")
    test = page(store=store.path)
    assert "Word for word the answer of the reference." in everything(test)
    test.segmented_control(key="samples_view").set_value("blind").run()
    assert "there is nothing to choose between" in test.info[0].value


def test_one_point_alone_is_no_comparison(page, tmp_path, study):
    store = Store(tmp_path / "one.sqlite")
    store.add(study, world.measurement(study, Recipe(study.partition(), (0.5,) * 3)))
    test = page(store=store.path)
    assert calm(test)
    assert sum("Answer 0 of" in said for said in texts(test, "text")) == 1
    test.segmented_control(key="samples_view").set_value("blind").run()
    assert "takes two points with answers" in test.info[0].value
