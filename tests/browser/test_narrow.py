"""On a narrow screen: controls that wrap keep their borders, and a table that scrolls sideways shows that it does."""

from tests.browser.conftest import PATIENCE, wait_until

BORDERS = """button => { const s = getComputedStyle(button);
  return ['top', 'right', 'bottom', 'left'].map(side => s.getPropertyValue(`border-${side}-color`)); }"""
SIGN = "table => getComputedStyle(table).maskImage"


def test_items_that_wrap_have_a_border_all_around(open_page):
    buttons = open_page(size=(390, 844)).locator(".st-key-split button")
    assert buttons.count() == 2
    for button in buttons.all():
        assert len(set(button.evaluate(BORDERS))) == 1


def test_a_table_fades_where_there_is_more_of_it(open_page):
    page = open_page(size=(390, 844))
    for table, scroller in (
        (page.locator(".st-key-selected_point .hma-scores"), None),
        (page.get_by_test_id("stDataFrameResizable"), ".dvn-scroller"),
    ):
        if scroller:
            page.get_by_text("All points on these").click()
        scrolled = table.locator(scroller) if scroller else table
        wait_until(lambda table=table: "to left" in table.evaluate(SIGN), PATIENCE, "the sign that there is more")
        scrolled.evaluate("element => { element.scrollLeft = 9999 }")
        wait_until(lambda table=table: "to left" not in table.evaluate(SIGN), PATIENCE, "the sign to go at the end")


def test_a_table_that_shows_all_of_itself_does_not_fade(open_page):
    assert open_page().locator(".st-key-selected_point .hma-scores").evaluate(SIGN) == "none"
