"""The status page in a real browser: live, without scripts, on a phone, in the dark, and closed to the outside."""

from __future__ import annotations

import pytest

from tests.page.station import TABLE, Station

PATIENCE_MS = 60_000
EVENTS_ALONE = """
window.setInterval = () => 0;
window.told = {};
const Source = window.EventSource;
window.EventSource = class extends Source {
  constructor(url) {
    super(url);
    this.addEventListener("switch", (event) => { window.told[JSON.parse(event.data).group] = performance.now(); });
  }
};
"""
"""No renewal by the clock: what the page shows, it was told by an event, whose time is kept."""


class Tab:
    """A page with ears: what it says to the console, and what it asks for."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, station: Station):
        self.page.goto(station.url)
        return self.page

    def live(self, station: Station):
        page = self.open(station)
        page.wait_for_selector("body.live-now")
        return page


@pytest.fixture
def tab(browser):
    """Make tabs; each is closed at the end."""
    made = []

    def make(**options):
        made.append(Tab(browser, **options))
        return made[-1]

    yield make
    for one in made:
        one.context.close()


# --- live ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["one", "fifty"])
def test_a_failover_is_shown_as_soon_as_its_event_comes(tab, request, which):
    """Of fifty groups all fail at once."""
    station = request.getfixturevalue(which)
    here, last = tab(), station.names[-1]
    here.page.add_init_script(EVENTS_ALONE)
    page = here.live(station)
    assert page.locator("details.group").count() == len(station.names)
    for name in station.names:
        station.cut(name, "primary")
    page.wait_for_selector(f"#group-{last}[data-active=secondary]")
    shown_after_ms = page.evaluate(f"performance.now() - window.told['{last}']")
    assert shown_after_ms < 30_000  # here a tenth of a second; a loaded machine is slow at everything
    page.locator(".group[data-active=secondary]").nth(len(station.names) - 1).wait_for(state="attached")
    page.wait_for_selector("#timeline li.switch:has-text('primary → secondary')")
    page.wait_for_selector(f"#group-{last} [data-path=primary][data-path-state=down]")
    assert here.said == []
    assert [url for url in here.asked if not url.startswith(station.url)] == []
    for name in station.names:
        station.mend(name, "primary")


def test_a_group_that_somebody_folded_stays_folded_while_its_figures_are_renewed(tab, one):
    page = tab().live(one)
    page.click("#group-g1 > summary")
    page.evaluate("document.getElementById('group-g1').dataset.old = 'yes'")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # looked at again: all is renewed
    page.wait_for_selector("#group-g1:not([data-old])", state="attached")
    assert page.get_attribute("#group-g1", "open") is None


def test_a_page_whose_daemon_is_gone_says_that_it_is_no_longer_live(tab, tmp_path):
    with Station(tmp_path, 1, 200_000).running() as station:
        page = tab().live(station)
    page.wait_for_selector("body.stale")
    assert "trying again" in page.inner_text("#live")


# --- the essentials -----------------------------------------------------------------------------------------


def test_without_scripts_the_page_shows_the_essentials_and_renews_itself(tab, one):
    one.until(one.healthy, "all is well")
    active = one.report("g1").active
    page = tab(java_script_enabled=False).open(one)
    for text in (f"active {active}", "dataplane up", "in sync", f"dev {active}", "all probes pass", TABLE):
        assert text in " ".join(page.inner_text("#group-g1").split())
    assert "desired path is primary" in page.inner_text("#timeline")
    assert page.locator("#group-g1 .rtt svg path.data").count() == 2
    assert page.locator("head noscript meta[http-equiv=refresh]").get_attribute("content") == "10"


@pytest.mark.parametrize("which", ["one", "fifty"])
def test_a_phone_needs_no_scrolling_sideways(tab, request, which):
    page = tab(viewport={"width": 390, "height": 740}).live(request.getfixturevalue(which))
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


CONTRAST = """
() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && one.parentElement ? behind(one.parentElement) : colour;
  };
  const texts = [...document.querySelectorAll("h1,h2,h3,p,b,dt,dd,time,span,td,th,figcaption,code,a")];
  return Math.min(...texts.filter((one) => one.innerText).map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}
"""
"""The smallest contrast of text to what is behind it (WCAG 2.2, 1.4.3)."""


def test_it_is_readable_in_the_light_and_in_the_dark(tab, one):
    one.cut("g1", "primary")  # so that good, warning and bad are all there
    one.until(lambda: one.report("g1").paths[0].state == "down", "it is down")
    grounds = {}
    for scheme in ("light", "dark"):
        page = tab(color_scheme=scheme).live(one)
        grounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert page.evaluate(CONTRAST) >= 4.5, scheme
    assert grounds["light"] != grounds["dark"]
    one.mend("g1", "primary")


# --- closed -------------------------------------------------------------------------------------------------

INTRUDE = """
async () => {
  const refused = [];
  document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
  const add = (name, set) => document.body.appendChild(Object.assign(document.createElement(name), set));
  add("script", { textContent: "window.intruded = 1" });
  add("style", { textContent: "body { color: red }" });
  add("img", { src: "http://127.0.0.2:9/x.png" });
  add("iframe", { src: "http://127.0.0.2:9/" });
  document.body.setAttribute("style", "color: red");
  await fetch("http://127.0.0.2:9/").catch(() => 0);
  for (let turn = 0; turn < 2000 && new Set(refused).size < 6; turn++) {
    await new Promise((done) => setTimeout(done, 10));
  }
  return { refused: refused.sort(), intruded: window.intruded === 1, form: document.forms.length };
}
"""


def test_the_policy_refuses_inline_code_and_everything_from_elsewhere(tab, one):
    found = tab().live(one).evaluate(INTRUDE)
    assert not found["intruded"]
    assert set(found["refused"]) == {
        "script-src-elem", "style-src-elem", "style-src-attr", "img-src", "frame-src", "connect-src",
    }  # fmt: skip
