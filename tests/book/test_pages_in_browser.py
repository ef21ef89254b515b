"""Every page in a real browser with the network cut: over http and from the disk, light and dark, wide and narrow."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1300, "height": 900}
MEGABYTE = 1_000_000
PACKED = (".html", ".js", ".css", ".svg", ".json", ".txt")


@dataclass
class Visit:
    """What a browser met on one page.

    Attributes:
        external: Addresses asked for beyond this machine.
        errors: Console errors and uncaught exceptions.
        weight: Bytes by address, text packed as a web server packs it.
        facts: What the page answered.
    """

    external: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    weight: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


FACTS = """() => {
  const seen = (e) => e.getClientRects().length > 0;
  return {
    noAlt: [...document.images].filter((i) => seen(i) && !(i.alt || "").trim()).map((i) => i.src.slice(0, 120)),
    broken: [...document.images].filter((i) => i.complete && i.naturalWidth === 0).map((i) => i.src.slice(0, 120)),
    unnamedFilms: [...document.querySelectorAll("video")].filter((v) => !v.getAttribute("aria-label")).length,
    diagrams: document.querySelectorAll(".mermaid-frame").length,
    drawn: [...document.querySelectorAll(".mermaid-frame")]
      .filter((f) => [...f.querySelectorAll("svg")].some(seen)).length,
    undrawn: document.querySelectorAll("pre.mermaid").length,
    diagramErrors: document.querySelectorAll(".mermaid-frame .error-icon").length,
    cutOff: [...document.querySelectorAll(".bd-article pre")].filter((e) => e.scrollWidth > e.clientWidth + 1).length,
    alone: document.querySelectorAll(".cell_output img.only-light").length
      - document.querySelectorAll(".cell_output img.only-dark").length,
    description: (document.querySelector("meta[name=description]")?.content ?? "").length,
    formulas: document.querySelectorAll(".bd-article .math").length,
    typeset: document.querySelectorAll(".bd-article mjx-container").length,
    cells: document.querySelectorAll(".bd-article div.cell_input").length,
    copyButtons: document.querySelectorAll(".bd-article div.cell_input button.copybtn").length,
    widgets: document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]').length,
    title: document.title,
  };
}"""
READY = """() => {
  const drawn = !document.querySelector("pre.mermaid") || document.documentElement.dataset.diagrams === "light";
  const typeset = !document.querySelector(".bd-article .math") || document.querySelector(".bd-article mjx-container");
  return drawn && typeset;
}"""
# The largest of what sticks out, so that a failure says where to look.
OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide <= 0) return null;
  const sticksOut = (e) => e.getBoundingClientRect().right > innerWidth + 1;
  const out = [...document.querySelectorAll(".bd-article *")].filter(sticksOut).slice(0, 3);
  return `${wide} px: ` + out.map((e) => `<${e.tagName} ${e.className}> ${e.textContent.slice(0, 50)}`).join(" | ");
}"""


def overflow(page: Any) -> str | None:
    """What sticks out of a page for good: widgets draw themselves anew a moment after the page has got narrower."""
    for _ in range(40):
        if (found := page.evaluate(OVERFLOW)) is None:
            return None
        page.wait_for_timeout(250)
    return found


def visit(browser: Any, address: str, local: str) -> Visit:
    """Open a page, look at it light and dark, wide and narrow."""
    result = Visit()
    context = browser.new_context(viewport=DESK, color_scheme="light")
    page = context.new_page()

    def route(route: Any) -> None:
        url = route.request.url
        if url.startswith((local, "data:", "blob:")):
            route.continue_()
        else:
            result.external.append(url)
            route.abort()

    def weigh(response: Any) -> None:
        if response.url.startswith("http") and response.status == 200:
            body = response.body()
            text = response.url.split("?")[0].endswith(PACKED)
            result.weight[response.url] = len(gzip.compress(body, 6)) if text else len(body)

    page.on("console", lambda m: m.type == "error" and result.errors.append(m.text))
    page.on("pageerror", lambda e: result.errors.append(str(e)))
    finished: list[Any] = []
    page.on("requestfinished", lambda request: finished.append(request))
    context.route("**/*", route)
    page.goto(address, wait_until="load")
    page.wait_for_function(READY)
    page.wait_for_timeout(300)
    for request in finished:
        if request.url.startswith("http"):
            weigh(request.response())
    result.facts = page.evaluate(FACTS)
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(150)
    result.facts["overflow light"] = overflow(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(150)
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    result.facts["theme"] = page.evaluate("document.documentElement.dataset.theme")
    if result.facts["undrawn"]:  # no browser where the book was built: the page draws
        page.wait_for_function("() => document.documentElement.dataset.diagrams === 'dark'")
    result.facts["overflow dark"] = overflow(page)
    context.close()
    return result


@pytest.fixture(scope="module")
def over_http(browser: Any, server: str, pages: list[str]) -> dict[str, Visit]:
    return {name: visit(browser, f"{server}/{name}.html", server) for name in pages}


@pytest.fixture(scope="module")
def from_disk(browser: Any, html: Path, pages: list[str]) -> dict[str, Visit]:
    return {name: visit(browser, (html / f"{name}.html").as_uri(), "file:") for name in pages}


@pytest.fixture(params=["over_http", "from_disk"])
def visits(request: pytest.FixtureRequest) -> dict[str, Visit]:
    return request.getfixturevalue(request.param)


def bad(visits: dict[str, Visit], fact: str) -> dict[str, Any]:
    """The pages on which a fact is not empty, with what it says."""
    return {name: v.facts[fact] for name, v in visits.items() if v.facts[fact]}


def test_nothing_comes_from_another_server(visits: dict[str, Visit]) -> None:
    assert {name: v.external for name, v in visits.items() if v.external} == {}


def test_no_console_errors(visits: dict[str, Visit]) -> None:
    assert {name: v.errors for name, v in visits.items() if v.errors} == {}


def test_pictures_have_alt_text_and_load(visits: dict[str, Visit]) -> None:
    assert bad(visits, "noAlt") == {}
    assert bad(visits, "broken") == {}
    assert bad(visits, "unnamedFilms") == {}


def test_nothing_is_wider_than_a_phone(visits: dict[str, Visit]) -> None:
    assert bad(visits, "overflow light") == {}
    assert bad(visits, "overflow dark") == {}


def test_pages_follow_the_readers_theme(visits: dict[str, Visit]) -> None:
    assert {v.facts["theme"] for v in visits.values()} == {"dark"}


def test_diagrams_and_formulas_are_drawn(visits: dict[str, Visit]) -> None:
    assert {n: v.facts for n, v in visits.items() if v.facts["diagrams"] != v.facts["drawn"]} == {}
    assert bad(visits, "diagramErrors") == {}
    assert {n: v.facts for n, v in visits.items() if v.facts["formulas"] and not v.facts["typeset"]} == {}
    assert sum(v.facts["drawn"] for v in visits.values()) >= 2


def test_code_cells_can_be_copied(visits: dict[str, Visit]) -> None:
    short = {n: v.facts for n, v in visits.items() if v.facts["copyButtons"] < v.facts["cells"]}
    assert short == {}
    assert sum(v.facts["copyButtons"] for v in visits.values()) > 0


def test_pages_are_light(over_http: dict[str, Visit]) -> None:
    """Under 2 MB each, scripts and films included, as a server sends them that packs text."""
    weights = {name: sum(v.weight.values()) for name, v in over_http.items()}
    print(
        "\n".join(f"{size / MEGABYTE:6.2f} MB  {name}" for name, size in sorted(weights.items(), key=lambda w: -w[1]))
    )
    heavy = {name: dict(sorted(over_http[name].weight.items(), key=lambda w: -w[1])[:4]) for name in weights}
    assert {name: heavy[name] for name, size in weights.items() if size > 2 * MEGABYTE} == {}


def test_no_code_is_cut_off_and_figures_have_a_dark_twin(visits: dict[str, Visit]) -> None:
    assert bad(visits, "cutOff") == {}
    assert bad(visits, "alone") == {}
    without = {name for name, v in visits.items() if v.facts["description"] < 40}
    assert not without & {name for name in visits if name.startswith("notebooks/")}


def test_figures_lie_on_the_pages_own_paper(browser: Any, html: Path) -> None:
    """In the dark the dyed figure is shown, without a sheet under it and without a filter over it."""
    page = browser.new_page(color_scheme="dark")
    page.goto((html / "notebooks" / "03_resets_rewards_terminations.html").as_uri())
    found = page.evaluate(
        """() => [...document.querySelectorAll(".bd-article .cell_output img")].filter((i) => i.getClientRects().length)
        .map((i) => { const s = getComputedStyle(i); return [i.className, s.backgroundColor, s.filter]; })"""
    )
    page.close()
    assert len(found) >= 2
    assert {(color, effect) for _, color, effect in found} == {("rgba(0, 0, 0, 0)", "none")}
    assert all("only-dark" in name for name, _, _ in found)


def test_diagrams_change_with_the_theme(browser: Any, html: Path) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto((html / "book" / "code_map.html").as_uri())
    colour = """() => getComputedStyle([...document.querySelectorAll(".mermaid-frame .node rect")]
        .find((r) => r.getClientRects().length)).fill"""
    found = []
    for theme in ("light", "dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            f"() => document.documentElement.dataset.theme === '{theme}' && (!document.querySelector('pre.mermaid') || "
            f"document.documentElement.dataset.diagrams === '{theme}')",
        )
        page.wait_for_timeout(300)
        found.append(page.evaluate(colour))
    page.close()
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("how", ["http", "disk"])
def test_search_finds_an_error_message(browser: Any, html: Path, server: str, how: str) -> None:
    base = server if how == "http" else html.as_uri()
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(f"{base}/search.html?q=ISAAC_LAUNCHED_FROM_TERMINAL")
    line = page.locator("#search-results ul.search li", has_text="Troubleshooting").first.locator("p.context")
    assert "ISAAC_LAUNCHED_FROM_TERMINAL" in line.inner_text(), "a line of text says where the words were found"
    assert errors == []
    page.close()


def test_a_word_says_what_it_means(browser: Any, html: Path) -> None:
    """On hover and on focus, as a card that stays while it is pointed at and goes with Escape."""
    page = browser.new_page(viewport=DESK)
    page.goto((html / "notebooks" / "06_train_with_rl_games.html").as_uri())
    word = page.locator("a.term").first
    word.hover()
    card = page.locator("#term-card")
    card.wait_for(state="visible")
    assert len(card.inner_text()) > 20
    assert word.get_attribute("aria-describedby") == "term-card"
    card.hover()
    page.wait_for_timeout(400)
    assert card.is_visible()
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    box = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert box <= 0
    page.close()


# Tables of up to three columns that have to be scrolled, and cells that are too narrow to be read.
TOO_WIDE = """() => [...document.querySelectorAll(".bd-article table")].flatMap((table) => {
  const columns = Math.max(...[...table.rows].map((row) => row.cells.length));
  if (columns > 3 || !table.clientWidth || table.closest(".cl")) return [];
  const narrow = [...table.querySelectorAll("td")].filter((e) => e.innerText.length > 12 && e.clientWidth < 60).length;
  return table.scrollWidth > table.clientWidth + 1 || narrow
    ? [`${table.scrollWidth} px in ${table.clientWidth} px, ${narrow} narrow: ${table.innerText.slice(0, 60)}`] : [];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tables_of_up_to_three_columns_are_read_on_a_phone_without_scrolling(
    browser: Any, html: Path, pages: list[str], scheme: str
) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)
    found = {}
    for name in pages:
        page.goto((html / f"{name}.html").as_uri(), wait_until="load")
        found[name] = page.evaluate(TOO_WIDE)
    page.close()
    assert len(found) > 10 and not (wide := {name: tables for name, tables in found.items() if tables}), wide


# Everything to press outside a sentence, except what is only there for the keyboard or lies over something larger.
TOO_SMALL = """() => [...document.querySelectorAll("button, select, summary, .prev-next-footer a")].filter((e) => {
  const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  if (!r.width || !e.getClientRects().length || s.visibility === "hidden" || s.display === "inline") return false;
  return r.height < 44 && !e.matches(".sd-stretched-link, .headerlink") && !e.closest(".cl, table, p, li");
}).map((e) => `${e.tagName} ${e.className} ${e.getBoundingClientRect().height}`)"""


def test_a_finger_hits_what_it_means(browser: Any, html: Path) -> None:
    """Buttons of the pages are 44 px on a touch screen; the widgets' own are looked at beside them."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    for name in ("book/index", "notebooks/06_train_with_rl_games", "book/troubleshooting"):
        page.goto((html / f"{name}.html").as_uri())
        page.wait_for_timeout(300)
        assert page.evaluate(TOO_SMALL) == [], name
    context.close()


CHECKS = """() => [...document.querySelectorAll("div.cell.tag_check .cell_output")].map((e) =>
  [getComputedStyle(e, "::before").content, e.innerText.trim()])"""


def test_an_unsolved_exercise_shows_what_its_check_says_to_it(browser: Any, html: Path) -> None:
    page = browser.new_page()
    for lesson in sorted((html / "notebooks").glob("*.html")):
        page.goto(lesson.as_uri())
        checks = page.evaluate(CHECKS)
        assert checks, lesson.name
        for label, said in checks:
            assert label == '"to the cell as it stands above:"' and said.startswith("✗"), (lesson.name, label, said)
    page.close()


def test_a_reader_gets_from_the_front_page_to_the_end_with_next_alone(browser: Any, html: Path, toc: list[str]) -> None:
    page = browser.new_page()
    page.goto((html / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    walked = []
    for _ in range(len(toc) + 1):
        walked.append(page.url.split("?")[0].removeprefix(html.as_uri() + "/").removesuffix(".html"))
        onward = page.locator("a.right-next")
        if not onward.count():
            break
        before = page.url
        onward.click()
        page.wait_for_url(lambda url, before=before: url != before)
    page.close()
    assert walked == toc


@pytest.mark.parametrize("how", ["http", "disk"])
def test_the_front_page_has_a_playground_in_motion(browser: Any, html: Path, server: str, how: str) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(f"{server if how == 'http' else html.as_uri()}/book/index.html")
    widget = page.locator('.cl[aria-label="Cart-pole playground"]')
    widget.wait_for()
    widget.scroll_into_view_if_needed()
    moving = "() => Number(document.querySelector('.cl[aria-label=\"Cart-pole playground\"]').dataset.frames ?? 0) > 20"
    page.wait_for_function(moving)
    page.close()
