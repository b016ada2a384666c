"""Time a moving picture's redraw, in a headless Chromium.

python tools/redraw.py

Each slider of each picture is moved through its range; a change is timed
from the new value to the picture laid out again. A thirtieth of a second is
what a hand sees as at once.
"""

import os
import shutil
from statistics import median

from npm_files import browser_file
from playwright.sync_api import sync_playwright

from focal_edu.explore import names, specification
from focal_edu.explore.moving import STYLE

TIMES = """async specification => {
    document.body.innerHTML = "<div></div>";
    const place = document.body.firstChild;
    const options = {actions: false, renderer: "svg"};
    const {view} = await vegaEmbed(place, specification, options);
    const times = [];
    for (const input of place.querySelectorAll("input[type=range]")) {
        const [low, high] = [input.min, input.max].map(Number);
        for (let step = 0; step <= 20; step++) {
            const value = low + (high - low) * step / 20;
            const start = performance.now();
            await view.signal(input.name, value).runAsync();
            place.querySelector("svg").getBBox();
            times.push(performance.now() - start);
        }
    }
    return times;
}"""


def main():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        page = browser.new_page()
        for library in ("vega", "vega-lite", "vega-embed"):
            page.add_script_tag(path=browser_file(library))
        print("milliseconds a change: median, slowest of the moves")
        for name in names():
            times = page.evaluate(TIMES, STYLE | specification(name))
            told = f"{median(times):6.1f} {max(times):6.1f}"
            print(f"{name:<18} {told}  of {len(times)}")
        browser.close()


if __name__ == "__main__":
    main()
