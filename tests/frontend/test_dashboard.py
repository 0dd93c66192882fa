"""The built dashboard in a real browser, against an API that answers what each test wants."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, ViewportSize, expect

from stack.local.vercel.server import SiteServer
from tests.support.browser import open_browser
from tests.support.built_site import API_HOST, FRONTEND, built_site, serve
from tests.support.stand_in_api import (
    ACCOUNTS,
    METRICS,
    SAMPLES,
    Response,
    StandInApi,
    account,
    metrics,
    page,
    problem,
    stand_in_api,
)

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 800}
AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
IMPATIENT = """AbortSignal.timeout = () => {
  const soon = new AbortController();
  setTimeout(() => soon.abort(), 200);
  return soon.signal;
}"""
TOO_WIDE = """[...document.querySelectorAll("table, li, dl > div")]
  .filter((element) => element.scrollWidth > element.parentElement.clientWidth + 1).length"""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Dashboard:
    """The site's address, its API and a page; what the page did wrong is collected."""

    url: str
    api: StandInApi
    page: Page
    hosts: set[str] = field(default_factory=set[str])
    mistakes: list[str] = field(default_factory=list[str])

    def open(self, shows: str = "Portfolio") -> Page:
        self.page.goto(self.url)
        expect(self.page.get_by_text(shows, exact=True).first).to_be_visible()
        return self.page

    def overflows(self) -> bool:
        return self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[str, StandInApi, BrowserContext]]:
    server = SiteServer()
    server.deploy(built_site())
    with ExitStack() as stack:
        api = stack.enter_context(stand_in_api())
        url = stack.enter_context(serve(server))
        mapping = (
            f"MAP {API_HOST}:80 127.0.0.1:{api.port}, MAP * ~NOTFOUND, EXCLUDE localhost, "
            "EXCLUDE 127.0.0.1"
        )
        context = stack.enter_context(open_browser(flags=(f"--host-resolver-rules={mapping}",)))
        api.origin = url
        yield url, api, context


@pytest.fixture
def dashboard(shared: tuple[str, StandInApi, BrowserContext]) -> Iterator[Dashboard]:
    url, api, context = shared
    api.fill()
    api.requests.clear()
    tab = context.new_page()
    tab.set_viewport_size(WIDE)
    tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
    dashboard = Dashboard(url, api, tab)

    def note(request: Request) -> None:
        dashboard.hosts.add(urlsplit(request.url).hostname or request.url)

    tab.on("request", note)
    tab.on("pageerror", lambda error: dashboard.mistakes.append(str(error)))
    tab.on(
        "console",
        lambda message: (
            dashboard.mistakes.append(message.text)
            if message.type in ("error", "warning")
            else None
        ),
    )
    yield dashboard
    tab.close()
    # the browser itself reports answers that are no success; that is what some tests are about
    assert [
        text for text in dashboard.mistakes if not text.startswith("Failed to load resource")
    ] == []
    assert dashboard.hosts <= {"localhost", API_HOST}


def alerts(tab: Page) -> Locator:
    """Those of the content; the framework has one of its own for changes of the route."""
    return tab.get_by_role("main").get_by_role("alert")


def test_the_page_shows_the_numbers_and_the_largest_accounts_of_the_api(
    dashboard: Dashboard,
) -> None:
    tab = dashboard.open("Northwind 1")
    figures = tab.get_by_role("region", name="Key figures")
    for text in (
        "$18.5M",
        "$18,452,300 from 120 accounts",
        "$7.1M",
        "38% of ARR",
        "71.4",
        "median 76.1",
        "12% of 120 accounts",
    ):
        expect(figures.get_by_text(text)).to_be_visible()
    at_risk = figures.locator("dl > div").filter(has_text="ARR at risk")
    expect(at_risk).to_contain_text(re.compile(r"Red\s*\$1\.98M\s*Amber\s*\$5\.12M"))
    row = tab.get_by_role("row").filter(has=tab.get_by_role("rowheader", name="Northwind 6"))
    expect(row).to_contain_text(
        re.compile(
            r"SMB\s*Dana Whitfield 6\s*\$657,410\s*38\.7\s*Red\s*\w+ \d+, \d{4}\s*in 98 days"
        )
    )
    expect(tab.get_by_text("10 of 120, by ARR")).to_be_visible()


def test_the_page_asks_the_api_once_for_each_thing_that_it_shows(dashboard: Dashboard) -> None:
    dashboard.open("Northwind 1")
    assert sorted(dashboard.api.requests) == [
        "GET /accounts?page_size=10&sort=-arr",
        "GET /portfolio/metrics",
    ]


def test_the_bucket_bar_says_in_words_what_it_shows(dashboard: Dashboard) -> None:
    tab = dashboard.open("Northwind 1")
    expect(
        tab.get_by_role("img", name="Share of accounts: Green 55%, Amber 29%, Red 13%, Unscored 3%")
    ).to_be_visible()
    expect(
        tab.get_by_role("img", name="On a scale from 0 to 100 the mean is 71.4, the median 76.1")
    ).to_be_visible()
    widths = [
        float((bar.get_attribute("width") or "").rstrip("%"))
        for bar in tab.locator("svg[aria-label^=Share] rect").all()
    ]
    assert widths == pytest.approx([55, 29.1667, 13.3333, 2.5], abs=0.001)


def test_what_is_not_known_is_said_and_not_shown_as_zero(dashboard: Dashboard) -> None:
    nobody = account(
        1, name="Blank", cs_owner=None, renewal_date=None, health_score=None, health_bucket=None
    )
    dashboard.api.responses[METRICS] = Response(
        metrics(avg_health_score=None, median_health_score=None)
    )
    dashboard.api.responses[ACCOUNTS] = Response(page([nobody], total=1))
    tab = dashboard.open("Blank")
    row = tab.get_by_role("row").filter(has_text="Blank")
    expect(row.get_by_text("Unknown")).to_have_count(2)
    expect(row).to_contain_text("\N{EN DASH}Unscored")
    expect(tab.get_by_role("img", name="No account has a score yet")).to_be_visible()


def test_skeletons_stand_in_until_the_api_answers_and_a_long_wait_is_explained(
    dashboard: Dashboard,
) -> None:
    gate = threading.Event()
    dashboard.api.responses[METRICS].gate = dashboard.api.responses[ACCOUNTS].gate = gate
    dashboard.page.clock.install()
    tab = dashboard.open("Loading…")
    expect(tab.get_by_role("region", name="Key figures")).to_have_attribute("aria-busy", "true")
    expect(tab.get_by_text("Total ARR")).to_be_visible()
    expect(tab.get_by_role("rowheader")).to_have_count(0)
    tab.clock.fast_forward(5_000)
    expect(tab.get_by_role("status")).to_contain_text(
        "Still waiting: after a pause the API takes some seconds to start."
    )
    gate.set()
    expect(tab.get_by_text("$18.5M")).to_be_visible()
    expect(tab.get_by_role("region", name="Key figures")).to_have_attribute("aria-busy", "false")
    expect(tab.get_by_role("status")).to_contain_text("Updated at")


def test_an_api_that_never_answers_is_given_up_with_a_sentence(dashboard: Dashboard) -> None:
    gate = threading.Event()
    dashboard.api.responses[METRICS].gate = gate
    dashboard.page.add_init_script(IMPATIENT)
    tab = dashboard.open("The API took too long")
    figures = tab.get_by_role("region", name="Key figures")
    expect(figures.get_by_role("alert")).to_contain_text("did not respond within 35 seconds")
    gate.set()


def test_an_empty_database_gets_guidance_and_sample_data_on_request(dashboard: Dashboard) -> None:
    dashboard.api.empty()
    tab = dashboard.open("No accounts yet")
    expect(tab.get_by_text("$0")).to_have_count(0)
    gate = threading.Event()
    dashboard.api.responses[SAMPLES] = Response(
        {"message": "done", "accounts_created": 20, "accounts_updated": 0}, gate=gate
    )
    tab.get_by_role("button", name="Add 20 sample accounts").click()
    expect(tab.get_by_role("button", name="Adding sample accounts…")).to_be_focused()
    tab.keyboard.press("Enter")
    samples = dashboard.api.responses[SAMPLES]
    dashboard.api.fill()
    dashboard.api.responses[SAMPLES] = samples
    gate.set()
    expect(tab.get_by_role("status")).to_contain_text("Added 20 sample accounts.")
    expect(tab.get_by_text("Northwind 1", exact=True)).to_be_visible()
    expect(tab.get_by_role("heading", level=1)).to_be_focused()
    assert [line.partition("&")[0] for line in dashboard.api.posts()] == [
        "POST /ingest/generate-mock?count=20"
    ]


def test_sample_data_that_is_refused_says_why_and_can_be_tried_again(dashboard: Dashboard) -> None:
    dashboard.api.empty()
    dashboard.api.responses[SAMPLES] = problem(
        "Send an API key with the scope write.", status=401, request_id="req-9"
    )
    tab = dashboard.open("No accounts yet")
    tab.get_by_role("button", name="Add 20 sample accounts").click()
    expect(alerts(tab)).to_contain_text(
        "Could not add sample accounts. Send an API key with the scope write."
    )
    expect(tab.get_by_text("req-9")).to_be_visible()
    dashboard.api.fill()
    dashboard.api.responses[SAMPLES] = Response(
        {"message": "done", "accounts_created": 20, "accounts_updated": 0}
    )
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_text("Northwind 1", exact=True)).to_be_visible()


def test_sample_data_whose_answer_was_lost_is_not_added_twice(dashboard: Dashboard) -> None:
    dashboard.api.empty()
    dashboard.api.responses[SAMPLES] = Response({}, drop=True)
    tab = dashboard.open("No accounts yet")
    tab.get_by_role("button", name="Add 20 sample accounts").click()
    expect(alerts(tab)).to_contain_text("The API cannot be reached")
    dashboard.api.fill()
    dashboard.api.responses[SAMPLES] = Response(
        {"message": "done", "accounts_created": 0, "accounts_updated": 0}
    )
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_contain_text("The sample accounts were there already.")
    asked = (
        dashboard.api.posts()
    )  # twice by the button; a browser may repeat a request whose connection was lost by itself
    assert len(asked) >= 2
    assert len(set(asked)) == 1
    assert re.search(r"count=20&seed=\d+$", asked[0])


@pytest.mark.parametrize(
    ("path", "region", "what", "other"),
    [
        (METRICS, "Key figures", "load the key figures", "Northwind 1"),
        (ACCOUNTS, "Largest accounts", "load the accounts", "$18.5M"),
    ],
)
def test_a_part_that_fails_says_why_alone_and_is_tried_again_alone(
    dashboard: Dashboard, path: str, region: str, what: str, other: str
) -> None:
    dashboard.api.responses[path] = problem(
        "The database did not answer in time.", request_id="req-4711"
    )
    tab = dashboard.open(other)
    failed = tab.get_by_role("region", name=region)
    expect(failed.get_by_role("alert")).to_have_text(
        f"The API returned an errorCould not {what}. The database did not answer in time."
    )
    expect(failed.get_by_text("Request ID req-4711")).to_be_visible()
    expect(alerts(tab)).to_have_count(1)
    dashboard.api.fill()
    dashboard.api.requests.clear()
    failed.get_by_role("button", name="Try again").click()
    expect(alerts(tab)).to_have_count(0)
    expect(
        failed.get_by_text("Northwind 1" if path == ACCOUNTS else "$18.5M", exact=True)
    ).to_be_visible()
    expect(tab.get_by_role("heading", name=region)).to_be_focused()
    assert [urlsplit(line.split()[1]).path for line in dashboard.api.requests] == [path]


def test_a_second_failure_keeps_the_focus_on_the_button(dashboard: Dashboard) -> None:
    dashboard.api.responses[METRICS] = problem("Not yet.")
    tab = dashboard.open("Northwind 1")
    dashboard.api.responses[METRICS] = problem("Still not.")
    tab.get_by_role("button", name="Try again").click()
    expect(alerts(tab)).to_contain_text("Still not.")
    expect(tab.get_by_role("button", name="Try again")).to_be_focused()


def test_an_api_that_cannot_be_reached_is_not_shown_as_an_empty_database(
    dashboard: Dashboard,
) -> None:
    dashboard.api.responses[METRICS].drop = dashboard.api.responses[ACCOUNTS].drop = True
    tab = dashboard.open("The API cannot be reached")
    expect(alerts(tab)).to_have_count(1)
    expect(alerts(tab)).to_contain_text(f"No response from http://{API_HOST}")
    expect(alerts(tab)).to_contain_text(f"does not accept requests from {dashboard.url}")
    expect(tab.get_by_text("No accounts yet")).to_have_count(0)
    dashboard.api.fill()
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_text("Northwind 1", exact=True)).to_be_visible()
    expect(tab.get_by_text("$18.5M")).to_be_visible()


def test_a_site_that_the_api_does_not_know_is_told_so(dashboard: Dashboard) -> None:
    origin, dashboard.api.origin = dashboard.api.origin, "https://elsewhere.example"
    try:
        dashboard.open("The API cannot be reached")
    finally:
        dashboard.api.origin = origin
    assert any("CORS" in text for text in dashboard.mistakes)
    dashboard.mistakes.clear()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response({"message": "Service Unavailable"}, status=503), "Service Unavailable"),
        (
            Response("<h1>Bad gateway</h1>", status=502, kind="text/html"),
            f"http://{API_HOST} returned 502 with a body that is not JSON.",
        ),
        (Response({}, status=500), "The API returned 500."),
    ],
)
def test_errors_of_what_stands_before_the_service_are_shown_too(
    dashboard: Dashboard, answer: Response, sentence: str
) -> None:
    dashboard.api.responses[METRICS] = answer
    tab = dashboard.open("Northwind 1")
    expect(alerts(tab)).to_contain_text(f"Could not load the key figures. {sentence}")


def test_numbers_stay_when_a_refresh_fails(dashboard: Dashboard) -> None:
    tab = dashboard.open("Northwind 1")
    tab.context.set_offline(True)
    try:
        tab.get_by_role("button", name="Refresh").click()
        expect(tab.get_by_text("This device is offline.")).to_have_count(2)
        expect(tab.get_by_text("$18.5M")).to_be_visible()
        expect(tab.get_by_text("Northwind 1", exact=True)).to_be_visible()
    finally:
        tab.context.set_offline(False)
    dashboard.api.responses[METRICS] = Response(metrics(total_arr=19_000_000))
    tab.get_by_role("button", name="Refresh").click()
    expect(tab.get_by_text("$19M")).to_be_visible()
    expect(alerts(tab)).to_have_count(0)


def test_a_phone_gets_cards_in_place_of_the_table(dashboard: Dashboard) -> None:
    dashboard.page.set_viewport_size(PHONE)
    tab = dashboard.open("Northwind 1")
    expect(tab.get_by_role("table")).to_have_count(0)
    card = tab.get_by_role("listitem").filter(has=tab.get_by_role("heading", name="Northwind 6"))
    expect(card).to_contain_text(
        re.compile(
            r"38\.7\s*Red\s*ARR\s*\$657,410\s*Segment\s*SMB\s*Owner\s*Dana Whitfield 6\s*Renewal"
        )
    )
    tab.set_viewport_size(WIDE)
    expect(tab.get_by_role("table")).to_be_visible()


def test_nothing_is_cut_off_or_scrolls_sideways_at_any_width(dashboard: Dashboard) -> None:
    tab = dashboard.open("Northwind 1")
    for width in (320, 390, 639, 895, 897, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        expect(tab.get_by_role("table")).to_have_count(0 if width < 896 else 1)
        assert (width, dashboard.overflows(), tab.evaluate(TOO_WIDE)) == (width, False, 0)
    dashboard.api.responses[METRICS] = problem("x" * 300)
    tab.set_viewport_size(PHONE)
    tab.get_by_role("button", name="Refresh").click()
    expect(alerts(tab)).to_be_visible()
    assert not dashboard.overflows()


def test_colours_follow_the_system(dashboard: Dashboard) -> None:
    tab = dashboard.open("Northwind 1")
    grounds = {}
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        grounds[scheme] = [
            int(part)
            for part in re.findall(
                r"\d+", tab.evaluate("getComputedStyle(document.body).backgroundColor")
            )
        ]
    assert min(grounds["light"]) > 230
    assert max(grounds["dark"]) < 40


def test_motion_is_left_out_for_those_who_ask(dashboard: Dashboard) -> None:
    gate = threading.Event()
    dashboard.api.responses[METRICS].gate = dashboard.api.responses[ACCOUNTS].gate = gate
    tab = dashboard.open("Loading…")
    running = "document.getAnimations().length"
    assert tab.evaluate(running) > 0
    tab.emulate_media(reduced_motion="reduce")
    assert tab.evaluate(running) == 0
    gate.set()


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(dashboard: Dashboard) -> None:
    tab = dashboard.open("Northwind 1")
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("main")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Refresh")).to_be_focused()
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize(
    "state", ["loaded", "phone", "loading", "empty", "failed", "unreachable", "missing page"]
)
def test_axe_finds_nothing_to_object_to_in_light_and_dark(dashboard: Dashboard, state: str) -> None:
    gate = threading.Event()
    api, shows = dashboard.api, "Northwind 1"
    match state:
        case "phone":
            dashboard.page.set_viewport_size(PHONE)
        case "loading":
            api.responses[METRICS].gate = api.responses[ACCOUNTS].gate = gate
            shows = "Loading…"
        case "empty":
            api.empty()
            shows = "No accounts yet"
        case "failed":
            api.responses[METRICS] = problem("The database did not answer in time.")
        case "unreachable":
            api.responses[METRICS].drop = api.responses[ACCOUNTS].drop = True
            shows = "The API cannot be reached"
        case "missing page":
            dashboard.url += "/nothing/here"
            shows = "Page not found"
        case _:
            pass
    tab = dashboard.open(shows)
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = tab.evaluate("tags => axe.run({ runOnly: tags })", WCAG)
        assert [
            (scheme, rule["id"], [node["html"] for node in rule["nodes"]])
            for rule in found["violations"]
        ] == []
        assert len(found["passes"]) > 10
    gate.set()
