"""On a narrow screen: the menu starts closed, controls that wrap keep their borders, a table that scrolls sideways shows that."""

from tests.browser.conftest import PATIENCE, wait_until

BORDERS = """button => { const s = getComputedStyle(button);
  return ['top', 'right', 'bottom', 'left'].map(side => s.getPropertyValue(`border-${side}-color`)); }"""
SIGN = "table => getComputedStyle(table).maskImage"


def test_items_that_wrap_have_a_border_all_around(open_page):
    buttons = open_page(size=(390, 844)).locator(".st-key-split button")
    assert buttons.count() == 2
    for button in buttons.all():
        assert len(set(button.evaluate(BORDERS))) == 1


def test_a_menu_that_was_left_open_covers_no_page_that_is_loaded(open_page):
    page = open_page(size=(390, 844))
    menu = "() => Math.max(0, document.querySelector('[data-testid=stSidebar]')?.getBoundingClientRect().right ?? 0)"
    page.get_by_test_id("stExpandSidebarButton").click()
    wait_until(lambda: page.evaluate(menu) > 100, PATIENCE, "the menu to open")
    page.wait_for_timeout(500)
    page.reload()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_timeout(1000)
    assert page.evaluate(menu) == 0


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
