"""A Chromium for the tests that need one.

It is Debian's or the one named by CHROMIUM; without it the tests are
skipped, except under CI, where they fail. What a failed test last showed is
left in build/screenshots/.
"""

import os
import re
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

if shutil.which("nvidia-smi") is None:  # read once, when Triton is imported
    os.environ["TRITON_INTERPRET"] = "1"

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update "
    "--disable-sync"
)


@pytest.fixture(scope="module")
def chromium(request, tmp_path_factory):
    """A Playwright browser, one a module.

    Its parameter is a fonts.conf: the fonts that it may use, in place of the
    machine's.
    """
    environment = dict(os.environ)
    if fonts := getattr(request, "param", None):
        file = tmp_path_factory.mktemp("fonts") / "fonts.conf"
        file.write_text(fonts)
        environment["FONTCONFIG_FILE"] = str(file)
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        reason = "needs Chromium (apt-get install chromium) and playwright"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=QUIET.split(), env=environment
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A page that notes its own errors and lets no request out.

    `page.faults` lists uncaught errors and requests to other machines; a
    test that answers such requests itself does so with `page.context.route`.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))

    def keep_inside(route):
        if urlsplit(route.request.url).hostname in (None, "127.0.0.1"):
            return route.continue_()
        page.faults.append(f"request to {route.request.url}")
        return route.abort()

    context.route(lambda url: url.startswith("http"), keep_inside)
    yield page
    if getattr(request.node, "failed", False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "_", request.node.name).strip("_")
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
    context.close()


def pytest_collection_modifyitems(items):
    """Mark what needs a browser, as `make check` leaves it out."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.failed = report.failed
    return report


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def serve():
    """A function that serves a folder and returns its address."""
    servers = []

    def start(folder):
        handler = partial(Quiet, directory=folder)
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
