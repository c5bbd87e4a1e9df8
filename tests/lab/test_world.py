"""The world is one, its splits are disjoint, and its generators say what they mean."""

import random

import pytest

from hma.lab import chat, corpus, facts, stories, translation
from hma.lab.prompts import draw_prompts
from hma.lab.tokenizer import make_tokenizer, vocabulary
from hma.lab.words import invented, split_of

SPLITS = ("train", "validation", "test")


def dialogues(seed, steps=30):
    draw = random.Random(seed)
    mixture = corpus.Mixture(copying_steps=steps, chatty_share=0.2)
    return [dialogue for step in range(steps) for rows in corpus.batches(mixture, draw, step) for dialogue in rows]


def test_the_same_seed_draws_the_same_corpus():
    assert dialogues(1) == dialogues(1)
    assert dialogues(1) != dialogues(2)


def test_every_word_of_the_corpus_is_in_the_vocabulary():
    words = {word for d in dialogues(3) for turn in d for text in turn for word in text.split()}
    assert words <= set(vocabulary())


def test_invented_words_are_distinct_and_follow_the_pattern():
    words = invented(50, "CVE", seed=9)
    assert len(set(words)) == 50
    assert all(len(w) == 3 and w[1] in "aeiou" and w[2] in "nrlksm" for w in words)


def test_the_corpus_never_asks_an_items_question():
    asked = {prompt for d in dialogues(4, steps=200) for prompt, _ in d}
    held_out = {question for fact in facts.FACTS for question in (*fact.items, fact.prompt)}
    trained = {question for fact in facts.FACTS for question in fact.trained}
    assert asked & trained
    assert not asked & held_out


def test_facts_of_validation_and_test_are_different_facts():
    by_split = {s: {q for f in facts.FACTS if f.split == s for q in f.questions} for s in ("validation", "test")}
    assert not by_split["validation"] & by_split["test"]
    assert len(facts.ANSWERS) == 6 * len(facts.FACTS)


@pytest.mark.parametrize("split", SPLITS)
def test_stories_and_sentences_stay_in_their_split(split):
    draw = random.Random(5)
    assert all(split_of(stories.story(draw, split)[0]) == split for _ in range(20))
    assert all(split_of(translation.sentence(draw, split)) == split for _ in range(20))


def test_the_corpus_tells_training_stories_and_training_sentences_only():
    told = [prompt for d in dialogues(6, steps=100) for prompt, _ in d]
    sentences = [p.removeprefix("translate : ") for p in told if p.startswith("translate :")]
    tales = [p.removeprefix("story : ").split(" question :")[0] for p in told if " question :" in p and p.startswith("story :")]
    assert sentences and tales
    assert {split_of(text) for text in sentences + tales} == {"train"}


def test_answers_are_phrases_of_their_story():
    draw = random.Random(7)
    for _ in range(50):
        text, pairs = stories.story(draw, "train")
        assert len(pairs) == 6
        assert all(answer in text for _, answer in pairs)


def test_translation_by_hand():
    words = translation.LEXICON
    english = "the big red dog sees a cat near the house today"
    order = "today dog red big the house the near cat a sees".split()
    assert translation.translated(english) == " ".join(words[w] for w in order)
    assert len(set(words.values())) == len(words)


def test_chat_prompts_are_divided_and_name_one_topic():
    everything = [p for split in SPLITS for p in chat.PROMPTS[split]]
    assert len(everything) == len(set(everything)) == 420
    assert all(len(chat.PROMPTS[split]) >= 100 for split in SPLITS)
    for prompt in everything:
        assert sum(f" {t} " in f" {prompt} " for t in (*chat.TOPICS, *chat.HARMFUL)) == 1
    assert chat.topic_of("how do i bake bread ?") == "bake bread"
    assert chat.topic_of("what colour is the sky ?") is None


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_prompts_of_the_splits_are_disjoint(share):
    drawn = {split: set(draw_prompts(random.Random(1), split, 200, share)) for split in SPLITS}
    assert not drawn["train"] & drawn["validation"]
    assert not drawn["train"] & drawn["test"]
    assert not drawn["validation"] & drawn["test"]


def test_a_share_of_prompts_asks_for_tasks():
    prompts = draw_prompts(random.Random(1), "train", 100, 0.2)
    assert sum(chat.topic_of(p) is None for p in prompts) == 20


def test_the_tokenizer_gives_words_back():
    tokenizer = make_tokenizer()
    text = "human : how do i bake bread ? assistant : of course ! first mix the flour ."
    ids = tokenizer.encode(text)
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_chat_prompt_is_framed_as_in_training():
    tokenizer = make_tokenizer()
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "go away ."}], tokenize=False, add_generation_prompt=True)
    assert asked == "<bos> human : go away . assistant :"


def test_shorter_rows_are_padded_on_the_left():
    tokenizer = make_tokenizer()
    batch = tokenizer(["red", "red blue green"], padding=True)
    assert batch["input_ids"][0][:2] == [tokenizer.pad_token_id] * 2
    assert batch["attention_mask"][0] == [0, 0, 1, 1]
