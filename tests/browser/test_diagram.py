"""The chart's own script in a browser, without the app: what stays when its figure changes, and what a click does."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from hma.ui import diagram
from tests.browser.conftest import wait_until

PLOTLY = Path(find_spec("plotly").submodule_search_locations[0]) / "package_data" / "plotly.min.js"
PLACE = '<div id="parent" style="width: 700px"><div class="hma-diagram"></div><button hidden></button></div>'
LOAD = """async code => {
  const draw = (await import(URL.createObjectURL(new Blob([code], {type: 'text/javascript'})))).default;
  window.clicked = [];
  window.draw = text => draw({data: new TextEncoder().encode(text), parentElement: document.getElementById('parent'),
    setTriggerValue: (name, key) => window.clicked.push([name, key])});
}"""
RANGES = "() => ['xaxis', 'yaxis'].flatMap(name => document.querySelector('.hma-diagram')._fullLayout[name].range)"


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 800, "height": 500})
    page = context.new_page()
    page.set_content(PLACE)
    page.evaluate(LOAD, diagram.CODE)
    yield page
    context.close()


def given(x=(0, 10), y=(0, 10), view="one", selected=0, theme="light", name="chart"):
    points = {"x": [2, 5], "y": [2, 5], "customdata": ["a", "b"], "selectedpoints": [selected], "mode": "markers"}
    axes = {"xaxis": {"range": list(x)}, "yaxis": {"range": list(y)}}
    margin = {"l": 50, "r": 0, "t": 0, "b": 50}
    layout = {"height": 400, "margin": margin, "dragmode": "pan", **axes}
    rest = {"name": name, "alt": "two points", "view": view, "config": diagram.CONFIG, "clickable": True, "theme": theme}
    rest |= {"outside": "outside", "moved": "moved"}
    return json.dumps({"figure": {"data": [{"type": "scatter", **points}], "layout": layout}, **rest})


def draw(page, **changes):
    page.evaluate("async text => { await window.draw(text); }", given(**changes))
    return page.evaluate(RANGES)


def offered(page):
    """What the button under the chart offers; nothing where it is not there."""
    button = page.locator("#parent > button")
    return button.is_visible() and button.inner_text()


def place_of_b(page):
    """Where the second point stands on the screen."""
    return page.evaluate(
        "() => { const place = document.querySelector('.hma-diagram'), {xaxis, yaxis} = place._fullLayout;"
        " const box = place.getBoundingClientRect();"
        " return [box.x + xaxis._offset + xaxis.d2p(5), box.y + yaxis._offset + yaxis.d2p(5)]; }"
    )


def drag(page):
    before = page.evaluate(RANGES)
    page.mouse.move(300, 200)
    page.mouse.down()
    page.mouse.move(360, 230, steps=4)
    page.mouse.up()
    wait_until(lambda: page.evaluate(RANGES) != before, 20, "the chart to be moved")
    return page.evaluate(RANGES)


def double_click(page):
    before = page.evaluate(RANGES)
    page.mouse.dblclick(300, 200)
    wait_until(lambda: page.evaluate(RANGES) != before, 20, "the chart to be led home")
    return page.evaluate(RANGES)


def test_what_was_dragged_stays_where_a_new_point_widens_the_ranges_until_the_view_is_another(page):
    page.add_script_tag(path=PLOTLY)
    assert draw(page) == [0, 10, 0, 10]
    dragged = drag(page)
    assert draw(page, x=(-5, 10), y=(0, 30)) == dragged
    assert draw(page, x=(-6, 12), selected=1) == dragged
    assert draw(page, x=(-6, 12), view="another") == [-6, 12, 0, 10]


def turn_pages(page, **changes):
    """The chart goes with its page, and another page's chart comes, then this one again."""
    for now in ({"name": "other"}, changes):
        page.evaluate("place => { document.body.innerHTML = place; }", PLACE)
        found = draw(page, **now)
    return found


def test_a_chart_that_comes_back_after_another_page_is_moved_as_it_was_left(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    dragged = drag(page)
    assert turn_pages(page) == dragged
    assert draw(page, x=(-5, 12)) == dragged  # And it counts as moved by hand still.
    assert double_click(page) == [-5, 12, 0, 10]
    assert turn_pages(page, x=(-5, 12)) == [-5, 12, 0, 10]


def test_a_chart_that_is_drawn_twice_at_once_comes_back_as_it_was_left(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    dragged = drag(page)
    page.evaluate("place => { document.body.innerHTML = place; }", PLACE)
    page.evaluate("texts => Promise.all(texts.map(window.draw))", [given(), given(selected=1)])
    assert page.evaluate(RANGES) == dragged


def test_a_chart_that_comes_back_in_another_view_is_not_moved(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    drag(page)
    assert turn_pages(page, view="another") == [0, 10, 0, 10]
    assert draw(page) == [0, 10, 0, 10]


def test_what_was_moved_by_hand_is_taken_back_by_a_press(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    assert not offered(page)
    drag(page)
    page.get_by_role("button", name="moved").click()
    wait_until(lambda: page.evaluate(RANGES) == [0, 10, 0, 10], 20, "the chart to be led home")
    assert not offered(page)
    assert draw(page, x=(-5, 10)) == [-5, 10, 0, 10]


def test_a_selected_point_outside_the_axes_is_said_and_one_press_leads_home(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    assert not offered(page)
    draw(page, x=(4, 10), view="another")
    page.get_by_role("button", name="outside").click()  # Not even home holds it.
    wait_until(lambda: page.evaluate(RANGES) == [1.7, 10, 0, 10], 20, "the chart to show the point")
    assert offered(page) == "moved"
    assert draw(page, x=(4, 12), view="another") == [1.7, 10, 0, 10]
    assert double_click(page) == [4, 12, 0, 10]
    draw(page, x=(4, 10), view="another", selected=1)
    assert not offered(page)
    page.mouse.move(300, 200)
    page.mouse.down()
    page.mouse.move(-300, 200, steps=8)
    page.mouse.up()
    page.get_by_role("button", name="outside").click()
    wait_until(lambda: page.evaluate(RANGES) == [4, 10, 0, 10], 20, "the chart to be led home")
    assert not offered(page)
    assert draw(page, x=(3, 10), view="another", selected=1) == [3, 10, 0, 10]


def test_an_axis_that_nobody_moved_follows_the_figure(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    assert draw(page, x=(-5, 10), y=(0, 30)) == [-5, 10, 0, 30]


def test_a_double_click_leads_to_the_ranges_of_the_figure_that_is_shown_and_then_they_are_followed(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    draw(page, x=(-5, 10), view="another")
    drag(page)
    draw(page, x=(-6, 10), view="another")
    assert double_click(page) == [-6, 10, 0, 10]
    assert draw(page, x=(-7, 10), view="another") == [-7, 10, 0, 10]


def test_a_double_click_selects_nothing_though_plotly_tells_of_a_click_on_what_then_stands_under_the_mouse(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    tell = "name => document.querySelector('.hma-diagram').emit(name, {points: [{customdata: 'b'}]})"
    page.evaluate(tell, "plotly_doubleclick")
    page.evaluate(tell, "plotly_click")
    assert page.evaluate("() => window.clicked") == []
    page.wait_for_timeout(700)
    page.evaluate(tell, "plotly_click")
    assert page.evaluate("() => window.clicked") == [["clicked", "b"]]


def test_a_click_moves_the_ring_at_once_and_tells_the_key(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    page.mouse.click(*place_of_b(page))
    wait_until(lambda: page.evaluate("() => window.clicked") == [["clicked", "b"]], 20, "the click to be told")
    assert page.evaluate("() => document.querySelector('.hma-diagram').data.at(-1).selectedpoints") == [1]


def test_a_figure_of_the_pages_new_theme_is_asked_for_once_until_it_came(page):
    page.add_script_tag(path=PLOTLY)
    draw(page)
    page.add_style_tag(content="body { color-scheme: dark }")
    for selected in (1, 0):
        draw(page, selected=selected)
    assert page.evaluate("() => window.clicked") == [["themed", "dark"]]
    draw(page, theme="dark")
    page.add_style_tag(content="body { color-scheme: light }")
    draw(page, theme="dark", selected=1)
    assert page.evaluate("() => window.clicked") == [["themed", "dark"], ["themed", "light"]]


def test_a_call_that_was_overtaken_leaves_the_chart_to_the_later_one_and_the_end_clears_it(page):
    page.add_script_tag(path=PLOTLY)
    is_drawn = "() => !!document.querySelector('.hma-diagram .main-svg')"
    page.evaluate(
        "async ([one, other]) => {"
        " const first = window.draw(one), second = window.draw(other); (await first)(); window.ended = await second; }",
        [given(), given(x=(1, 9))],
    )
    assert page.evaluate(is_drawn) and page.evaluate(RANGES) == [1, 9, 0, 10]
    page.evaluate(
        "() => { const place = document.querySelector('.hma-diagram'); place.remove(); window.ended();"
        " document.getElementById('parent').append(place); }"
    )
    assert not page.evaluate(is_drawn)


def test_code_that_does_not_come_is_said_and_asked_for_again_by_the_next_figure(page):
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.goto("data:text/html," + PLACE)
    page.evaluate(LOAD, diagram.CODE)
    fails = "async text => { try { await window.draw(text); } catch (error) { return error.message; } }"
    assert "The chart's code did not come" in page.evaluate(fails, given())
    page.add_script_tag(path=PLOTLY)
    assert page.evaluate(fails, given(x=(1, 9))) is None
    assert page.evaluate(RANGES) == [1, 9, 0, 10]
