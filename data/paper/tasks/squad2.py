"""SQuAD 2.0's published scores of one answer, as in its evaluation script with no threshold for "no answer"."""

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def process_results(doc: dict, results: list[str]) -> dict[str, float]:
    """Exact match and token F1, both 0..1: the best over the right answers. Where there is none, an empty one is right."""
    right = [answer for answer in doc["answers"]["text"] if normalized(answer)] or [""]
    return {
        "exact": max(float(normalized(results[0]) == normalized(answer)) for answer in right),
        "f1": max(f1(results[0], answer) for answer in right),
    }


def f1(given: str, right: str) -> float:
    """The harmonic mean of precision and recall over words; of nothing and nothing it is 1."""
    given_words, right_words = normalized(given).split(), normalized(right).split()
    if not given_words or not right_words:
        return float(given_words == right_words)
    common = sum((Counter(given_words) & Counter(right_words)).values())
    return 2 * common / (len(given_words) + len(right_words))


def normalized(text: str) -> str:
    """Lower case, without punctuation, articles and further white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
