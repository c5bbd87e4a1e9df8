"""How prompts are put to models, and answers to judges."""

import pytest

from hma.errors import SuiteError
from hma.evaluate.formats import HH_RLHF, asked_text, checked_format, judged_text
from hma.evaluate.prompts import Prompt
from tests import tiny

ONE, THREE = Prompt("one", ("red ?",)), Prompt("three", ("red ?", "blue .", "why ?"))


def test_the_chat_template_gets_every_turn():
    tokenizer = tiny.tokenizer()
    assert asked_text(tokenizer, ONE) == "<bos> human : red ? assistant :"
    assert asked_text(tokenizer, THREE) == "<bos> human : red ? assistant : blue . human : why ? assistant :"
    assert judged_text(tokenizer, THREE, "green") == "<bos> human : red ? assistant : blue . human : why ? assistant : green"


def test_hh_rlhf():
    assert asked_text(None, ONE, HH_RLHF) == "###Human: red ? ###Assistant:"
    assert asked_text(None, THREE, HH_RLHF) == "###Human: red ? ###Assistant: blue . ###Human: why ? ###Assistant:"
    assert judged_text(None, ONE, " green ", HH_RLHF) == "###Human: red ? ###Assistant: green"  # as a model writes on


def test_a_format_of_ones_own_takes_texts_as_they_are():
    assert asked_text(None, ONE, "Q: {prompt} A:") == "Q: red ? A:"
    assert judged_text(None, Prompt("", ("{answer}",)), "{prompt} {x}", "{answer}|{prompt}|{answer}") == (
        "{prompt} {x}|{answer}|{prompt} {x}"
    )
    assert judged_text(None, THREE, "green", "{prompt} ! {answer}").startswith(
        "Human: red ?\n\nAssistant: blue .\n\nHuman: why ?"
    )


@pytest.mark.parametrize(("format", "answered"), [("chat", False), ("{answer}", False), ("{prompt}", True)])
def test_what_is_no_format(format, answered):
    with pytest.raises(ValueError, match=r"expected 'chat template', 'hh-rlhf', or a text with \{prompt\}"):
        checked_format(format, answered=answered)


def test_a_template_that_is_missing_or_refuses_says_so():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = "{{ raise_exception('one turn at most') if messages|length > 1 }}"
    with pytest.raises(SuiteError, match="does not take the prompt 'three' of 3 turns: one turn at most"):
        asked_text(tokenizer, THREE)
    tokenizer.chat_template = None
    with pytest.raises(SuiteError, match="has no chat template"):
        asked_text(tokenizer, ONE)
