"""The page /docs in a real browser that reaches nothing but this machine."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, Route

from service.settings import ApiKey
from tests.service.lambda_api import Api, Response, api
from tests.support.browser import open_browser

HOST = "http://api.localhost"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as browser:
        yield browser.new_page()


def ask(service: Api, method: str, path: str, headers: Mapping[str, str]) -> Response:
    """Call the function in a thread: the browser's driver runs an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(service, method, path, headers).result()


def serve(page: Page, service: Api) -> list[str]:
    """Route all requests of the page to the function; returns the hosts that it asked beside it."""
    others: list[str] = []

    def fulfil(route: Route) -> None:
        request = route.request
        if not request.url.startswith(HOST):
            others.append(request.url)
            route.abort()
            return
        path = request.url.removeprefix(HOST)
        response = ask(service, request.method, path, request.headers)
        route.fulfill(status=response.status, headers=response.headers, body=response.text)

    page.unroute_all()
    page.route("**/*", fulfil)
    return others


def test_the_page_shows_every_operation_and_asks_no_other_host(page: Page) -> None:
    service = api()
    others = serve(page, service)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{HOST}/docs")
    page.locator("summary", has_text="/accounts/{account_id}").first.click()
    document = ask(service, "GET", "/openapi.json", {}).json
    operations = sum(len(methods) for methods in document["paths"].values())
    assert page.locator("main > details").count() == operations
    assert page.locator("details[open] h4", has_text="Parameters").is_visible()
    assert (others, errors) == ([], [])


def test_where_reads_need_a_key_the_page_asks_for_it(page: Page) -> None:
    keys = {"reader": ApiKey(scope="read", digest=hashlib.sha256(b"secret").digest())}
    service = api(api_keys=keys, api_keys_protect_reads=True)
    serve(page, service)
    page.goto(f"{HOST}/docs")
    page.get_by_label("API key").fill("reader.wrong")
    page.get_by_role("button").click()
    page.get_by_text("This key is not valid.").wait_for()
    page.get_by_label("API key").fill("reader.secret")
    page.get_by_role("button").click()
    page.locator("main > details").first.wait_for()
