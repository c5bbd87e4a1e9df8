"""What tests do with a page under AppTest: read what stands on it, use its controls, and wait."""

import json
import time

from hma.core.recipe import Recipe


def texts(test, kind):
    return [element.value for element in getattr(test, kind)]


def everything(test):
    """All the words on the page, for what must be there or must not."""
    kinds = ("markdown", "caption", "text", "error", "warning", "info")
    return "\n".join(str(value) for kind in kinds for value in texts(test, kind)) + "\n".join(
        element.proto.body for element in test.get("html")
    )


def figure(test):
    return next(iter(figures(test)), None)


def figures(test):
    """The charts on the page, as Plotly is given them."""
    return [json.loads(element.proto.bytes)["figure"] for element in test.get("bidi_component")]


def button(test, key):
    return next(b for b in test.button if b.key == key)


def key_of(study, *alphas):
    return study.point_key(Recipe(study.partition(), alphas))


def choice(test):
    """The list of points."""
    return next(box for box in test.selectbox if box.key.startswith("point_choice"))


def set_sliders(test, *alphas):
    for k, alpha in enumerate(alphas):
        test.slider[k].set_value(alpha)
    return test.run()


def pick(test, *names):
    """Choose the methods that Compare fronts compares."""
    pills = next(p for p in test.get("button_group") if p.key and p.key.startswith("compared_"))
    return pills.set_value(list(names)).run()


def wait_for(test, condition, seconds=60.0):
    """Run the page, as its own timer would, until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        test.run()
        if condition(test):
            return test
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s; the page says:\n{everything(test)}")


def calm(test):
    return not test.exception and not test.error and not test.warning
