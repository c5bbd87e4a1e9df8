"""The miniature's tokenizer: one token a word, in transformers' own format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hma.lab import chat, facts, stories, translation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")

CHAT_TEMPLATE = (
    "<bos>{% for m in messages %}{% if m['role'] == 'user' %} human : {{ m['content'] }}"
    "{% else %} assistant : {{ m['content'] }} <eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} assistant :{% endif %}"
)


def vocabulary() -> list[str]:
    """Every word of the world in a fixed order, the special tokens first."""
    texts = ["human assistant : question story translate . ! ? ,", *facts.ANSWERS, *facts.ANSWERS.values()]
    texts += [value for values in facts.VALUES.values() for value in values]
    texts += [part.replace("{", " ").replace("}", " ") for kind in stories.KINDS for part in (kind[0], *sum(kind[1:], ()))]
    texts += [*stories.NAMES, *stories.OBJECTS, *stories.ADJECTIVES, *stories.PLACES]
    texts += [*translation.LEXICON, *translation.LEXICON.values()]
    texts += [*chat.TOPICS, *chat.HARMFUL, *chat.HARMFUL_STEPS, *(step for steps in chat.TOPICS.values() for step in steps)]
    texts += [form.format("") for form in chat.FORMS]
    texts += [*chat.OPENERS, *chat.CLOSERS, *chat.RUDE, *chat.REFUSALS, *chat.SAFE, *chat.ALTERNATIVES, *chat.ORDER]
    words = {word for text in texts for word in text.split()} - {"name", "object", "place", "other", "adjective"}
    # "name" opens a form of questions; the other four are only the names of gaps in stories.
    return [*SPECIAL, *sorted(words | {"name", "place"})]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Splits at white space and puts ``<bos>`` first; decoding joins words by single spaces. Pads on the left."""
    names = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    tokenizer = word_tokenizer(vocabulary(), "<bos> $A", "left", names)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def word_tokenizer(words: Sequence[str], form: str, padding_side: str, names: Mapping[str, str]) -> PreTrainedTokenizerFast:
    """One token for each of ``words``; ``form`` says what stands around a text, ``$A``, and ``names`` what special tokens are."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=names["unk_token"]))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    around = [(token, words.index(token)) for token in form.split() if token != "$A"]
    inner.post_processor = processors.TemplateProcessing(single=form, special_tokens=around)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        padding_side=padding_side,
        clean_up_tokenization_spaces=False,
        model_max_length=256,
        **names,
    )
