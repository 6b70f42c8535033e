"""The page Review in Chromium: the first image after a scoring, and decisions by keyboard.

MNIST's test set is scored with the champion under DIGITS_HOME, in a home of its own; then the pages
are opened and one key is pressed after another, each as soon as the next image is shown.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks import table
from pipeline import load_settings, score

CHROMIUM = "/usr/bin/chromium"

# The pages allow no expressions, only functions.
_PATH = "() => document.querySelector('#verdict .path')?.innerText"
_NEXT = "before => document.querySelector('#verdict .path')?.innerText !== before"
_SHOWN = "() => document.querySelector('#came img')?.complete"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=200)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        home = Path(name) / "home"
        shutil.copytree(load_settings().home, home, ignore=shutil.ignore_patterns("reviews"))
        os.environ["DIGITS_HOME"] = str(home)
        score(home / "data" / "test.parquet", Path(name) / "scores")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = subprocess.Popen([sys.executable, "-m", "pipeline", "ui", "--port", str(port)])
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address)
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            first, pauses = _review(browser.new_page(), address, chosen.keys)
            browser.close()
        finally:
            server.terminate()
            server.wait()
    table.heading("Review of 10,000 scored images")
    table.row("from opening the page to the first image, s", [first], "<= 2")
    table.row("from a key to the next image, ms", [1000 * pause for pause in pauses])
    table.row("decisions a minute", [60 * len(pauses) / sum(pauses)], ">= 60", digits=0)


def _review(page: Page, address: str, keys: int) -> tuple[float, list[float]]:
    """Return the seconds to the first image, and from each key to the next image."""
    started = time.perf_counter()
    page.goto(f"{address}/review")
    page.wait_for_function(_SHOWN, polling=5)
    first = time.perf_counter() - started
    pauses = []
    for _ in range(keys):
        before = page.evaluate(_PATH)
        started = time.perf_counter()
        page.keyboard.press("7")
        page.wait_for_function(_NEXT, arg=before, polling=5)
        page.wait_for_function(_SHOWN, polling=5)
        pauses.append(time.perf_counter() - started)
    return first, pauses


def _wait_for(address: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"{address}/static/mark.svg"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)


if __name__ == "__main__":
    main()
