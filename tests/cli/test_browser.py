"""Explorer and report in Chromium: clicks, strokes, layout and contrast."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

from aejax import report
from aejax.runs.inference import decode_array, encode_array
from aejax.runs.run import open_run

SCREENS = {"desktop": (1200, 900), "phone": (390, 844)}
PIXELS = """canvas => [...canvas.getContext("2d")
  .getImageData(0, 0, canvas.width, canvas.height).data]"""
COLOURS = """() => [...document.querySelectorAll("body *")].flatMap(element => {
  const text = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!text || !element.offsetParent) return [];
  let behind = element;
  const paper = () => getComputedStyle(behind).backgroundColor;
  while (paper() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  return [[element.tagName + " " + element.textContent.trim().slice(0, 30),
    getComputedStyle(element).color, paper()]];
})"""


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, controlled by Playwright; skipped if it is not installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open an address at a screen size; requests to other hosts and errors fail the test."""
    pages = []

    def opened(address, screen="desktop", scheme="light"):
        width, height = SCREENS[screen]
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, base_url=address
        )
        origin = re.match(r"(http://[^/]+/|file://)", address)[0]
        page.strays, page.failures = [], []
        page.on(
            "request", lambda r: r.url.startswith((origin, "data:")) or page.strays.append(r.url)
        )
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.failures.append(m.text))
        page.goto(address)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        assert page.strays == page.failures == []
        page.close()


@pytest.fixture(scope="module")
def address(finished, compiled_once):
    with explored(finished, compiled_once) as address:
        yield address


@contextmanager
def explored(run, compiled_once):
    """Address of `aejax explore` for a run; Ctrl-C must end it without error."""
    main = "from aejax.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", main, "explore", str(run)]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | compiled_once,
    )
    line = server.stdout.readline()
    try:
        assert re.fullmatch(r"explore: http://127\.0\.0\.1:\d+/[\w-]{22}/\n", line), line
        yield line.split()[1]
    finally:
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=30)
    assert (server.returncode, complaints) == (0, "")


@pytest.fixture(scope="module")
def run(finished):
    return open_run(finished)


def shown(page, canvas) -> np.ndarray:
    """Pixels of a canvas, [64, 3], RGB from 0 to 255."""
    return np.array(page.locator(canvas).evaluate(PIXELS)).reshape(-1, 4)[:, :3]


def grey(x) -> np.ndarray:
    """Expected pixels of digits with values from 0 to 16."""
    return np.repeat(np.floor(255 * np.ravel(x).clip(0, 16)[:, None] / 16 + 0.5), 3, axis=1)


def told(page, output, wanted) -> None:
    """Wait until an element shows a value, to three digits."""
    expect(page.locator(output)).to_have_text(digits(wanted))


def digits(number) -> str:
    """A value with three significant digits, in the notation of the page."""
    return f"{float(f'{float(number):.3g}'):g}"


@pytest.mark.slow
def test_an_index_of_a_discrete_code_takes_whole_values(open_page, tmp_path, aejax, compiled_once):
    out = tmp_path / "run"
    words = "train --data digits --quantised.quantiser vector --quantised.codewords 16 --code 8"
    assert aejax(f"{words} --epochs 1 --quiet --out", out).code == 0
    run = open_run(out)
    indices = run.objective.model.encode(run.params, jnp.ones((1, 64)) * load_digits().data[4] / 16)
    code = [int(index) for index in np.ravel(indices.indices)]
    with explored(out, compiled_once) as address:
        page = open_page(address)
        expect(page.locator("#unit")).to_be_hidden()
        expect(page.locator("[data-for=indices]")).to_be_visible()
        slider = page.get_by_label("unit 1", exact=True)
        expect(slider).to_have_attribute("max", "15")
        expect(slider).to_have_js_property("valueAsNumber", code[1])
        slider.evaluate("slider => { slider.value = 9.4; slider.oninput(); }")
        expect(slider).to_have_js_property("valueAsNumber", 9)
        x_hat = decode_array(run, jnp.array([[code[0], 9]], jnp.int32))
        told(page, "#error", np.sum((np.ravel(x_hat) - load_digits().data[4]) ** 2))
        page.locator("#map").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        horizontal = int(page.locator("#horizontal").input_value())
        moved = [code[0], 9][horizontal] + 2
        expect(page.get_by_label(f"unit {horizontal}", exact=True)).to_have_js_property(
            "valueAsNumber", min(moved, 15)
        )


def test_slider_changes_reconstruction(open_page, address, run):
    page = open_page(address)
    x = load_digits().data[4]
    code = encode_array(run, jnp.asarray(x[None], jnp.float32))
    x_hat = np.ravel(decode_array(run, code))
    told(page, "#error", np.sum((x_hat - x) ** 2))
    np.testing.assert_array_equal(shown(page, "#input"), grey(x))
    np.testing.assert_allclose(shown(page, "#decoded"), grey(x_hat), atol=1)
    kernel = run.params["decoder"]["layer_0"]["kernel"]
    unit = int(np.argmax(np.linalg.norm(kernel, axis=1)))  # the one that is seen best
    slider = page.get_by_label(f"unit {unit}", exact=True)
    slider.click()
    slider.press("Home" if code[0, unit] > float(slider.input_value()) else "End")
    moved = np.ravel(decode_array(run, code.at[0, unit].set(float(slider.input_value()))))
    told(page, "#error", np.sum((moved - x) ** 2))
    np.testing.assert_allclose(shown(page, "#decoded"), grey(moved), atol=1)
    assert np.abs(grey(moved) - grey(x_hat)).max() > 2  # more than rounding
    page.get_by_role("button", name="reset to the code of the example").click()
    np.testing.assert_allclose(shown(page, "#decoded"), grey(x_hat), atol=1)


def test_unit_button_shows_filter_and_most_activating_examples(open_page, address, run):
    page = open_page(address)
    page.get_by_role("button", name="inspect unit 5").click()
    told(page, "#unit-number", 5)
    page.wait_for_load_state("networkidle")
    colours = shown(page, "#filter").astype(int)
    kernel = np.asarray(run.params["encoder"]["layer_0"]["kernel"])[:, 5]
    clear = np.abs(kernel) > 0.05 * np.abs(kernel).max()
    np.testing.assert_array_equal(colours[clear, 0] > colours[clear, 2], kernel[clear] > 0)
    x = load_digits().data[4::5]
    h = np.asarray(encode_array(run, jnp.asarray(x, jnp.float32)))[:, 5]
    buttons = page.locator("#exciting button")
    best = int(np.argmax(h))
    assert buttons.count() == 12
    assert buttons.first.inner_text() == f"example {best}: {digits(h[best])}"
    buttons.first.click()
    expect(page.locator("#example")).to_have_value(str(best))
    told(page, "#label", load_digits().target[4::5][best])
    np.testing.assert_array_equal(shown(page, "#input"), grey(x[best]))


def test_drawn_mask_is_reconstructed(open_page, address, run):
    page = open_page(address)
    told(page, "#damage", 0)
    x = load_digits().data[4]
    page.locator("#drawn").scroll_into_view_if_needed()
    box = page.locator("#drawn").bounding_box()
    row = box["y"] + 4.5 / 8 * box["height"]
    page.mouse.move(box["x"] + 0.1 * box["width"], row)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], row, steps=12)
    page.mouse.up()
    drawn = x.copy()
    drawn[3 * 8 : 6 * 8] = 0  # the brush is three pixels wide
    np.testing.assert_array_equal(shown(page, "#drawn"), grey(drawn))
    x_hat = np.ravel(decode_array(run, encode_array(run, jnp.asarray(drawn[None], jnp.float32))))
    told(page, "#damage", np.sum((drawn - x) ** 2))
    told(page, "#repair", np.sum((x_hat - x) ** 2))
    np.testing.assert_allclose(shown(page, "#repaired"), grey(x_hat), atol=1)
    page.get_by_role("button", name="noise everywhere").click()
    expect(page.locator("#damage")).to_have_text(re.compile(r"[1-9]\d{3,}"))
    assert len(np.unique(shown(page, "#drawn"))) > 30
    page.get_by_role("button", name="restore all").click()
    told(page, "#damage", 0)
    np.testing.assert_array_equal(shown(page, "#drawn"), grey(x))


def test_dragging_in_the_map_of_codes_decodes_the_point(open_page, address, run):
    page = open_page(address, "phone")
    told(page, "#damage", 0)
    x = load_digits().data[4::5]
    codes = np.asarray(encode_array(run, jnp.asarray(x, jnp.float32)))
    variance = np.argsort(-codes.var(axis=0))
    shown_order = page.locator("#code button").all_inner_texts()
    assert shown_order == [str(unit) for unit in variance]
    page.get_by_label("horizontal unit").select_option("5")
    page.get_by_label("vertical unit").select_option("3")
    page.wait_for_load_state("networkidle")
    assert page.locator("#points circle").count() == len(x)
    low, high = codes[:, [5, 3]].min(axis=0), codes[:, [5, 3]].max(axis=0)
    place = [float(page.locator("#mark").get_attribute(name)) for name in ("cx", "cy")]
    share = (codes[0, [5, 3]] - low) / (high - low)
    np.testing.assert_allclose(place, [14 + 372 * share[0], 386 - 372 * share[1]], atol=0.5)
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 1, steps=5)  # upper right corner
    page.mouse.up()
    moved = codes[:1].copy()
    moved[0, [5, 3]] = high
    x_hat = np.ravel(decode_array(run, jnp.asarray(moved)))
    told(page, "#error", np.sum((x_hat - x[0]) ** 2))
    np.testing.assert_allclose(shown(page, "#decoded"), grey(x_hat), atol=1)
    page.locator("#map").press("ArrowLeft")
    moved[0, 5] = high[0] - 0.02 * (high[0] - low[0])
    x_hat = np.ravel(decode_array(run, jnp.asarray(moved)))
    told(page, "#error", np.sum((x_hat - x[0]) ** 2))
    page.get_by_role("button", name="nearest example").click()
    distance = np.square((codes[:, [5, 3]] - moved[0, [5, 3]]) / (high - low)).sum(axis=1)
    expect(page.locator("#example")).to_have_value(str(np.argmin(distance)))


def test_examples_with_the_largest_errors_come_first(open_page, address, run):
    page = open_page(address)
    x = load_digits().data[4::5]
    codes = encode_array(run, jnp.asarray(x, jnp.float32))
    x_hat = np.asarray(decode_array(run, codes)).reshape(len(x), -1)
    order = np.argsort(-np.square(x_hat - x).sum(axis=1))
    page.get_by_label("order").select_option("largest error first")
    expect(page.locator("#example")).to_have_value(str(order[0]))
    page.get_by_role("button", name="next").click()
    expect(page.locator("#example")).to_have_value(str(order[1]))
    page.get_by_label("order").select_option("as stored")
    page.get_by_role("button", name="previous").click()
    expect(page.locator("#example")).to_have_value(str(max(order[1] - 1, 0)))


def test_own_image_is_reconstructed_by_the_model_and_by_pca(open_page, address, run, tmp_path):
    page = open_page(address)
    told(page, "#damage", 0)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    Image.fromarray(pixels[:5]).save(tmp_path / "other.png")
    upload = page.get_by_label("own image")
    upload.set_input_files(tmp_path / "own.png")
    expect(page.locator("#label")).to_have_text("own image")
    x = pixels.ravel() * (16 / 255)
    np.testing.assert_allclose(shown(page, "#input"), grey(x), atol=1)
    x_hat = np.ravel(decode_array(run, encode_array(run, jnp.asarray(x[None], jnp.float32))))
    told(page, "#error", np.sum((x_hat - x) ** 2))
    pca = PCA(codes_size(run)).fit(np.delete(load_digits().data, np.s_[4::5], axis=0))
    by_pca = pca.inverse_transform(pca.transform(x[None]))[0]
    told(page, "#pca-error", np.sum((by_pca - x) ** 2))
    np.testing.assert_allclose(shown(page, "#pca"), grey(by_pca), atol=1)
    upload.set_input_files(tmp_path / "other.png")
    expect(page.get_by_role("alert")).to_contain_text("8 × 5 pixels")
    for _ in range(100):  # status 400, and the error that ends the request
        if len(page.failures) == 2:
            break
        page.wait_for_timeout(20)
    assert len(page.failures) == 2
    page.failures.clear()


def codes_size(run) -> int:
    return run.params["decoder"]["layer_0"]["kernel"].shape[0]


def test_features_of_a_table_are_named_bars(open_page, tmp_path, aejax, compiled_once):
    table = load_iris(as_frame=True).data
    table.to_csv(tmp_path / "iris.csv", index=False)
    settings = "train --normalise standardise --loss squared --sizes 4 2 --epochs 1 --quiet"
    assert aejax(settings, "--data", tmp_path / "iris.csv", "--out", tmp_path / "run").code == 0
    with explored(tmp_path / "run", compiled_once) as address:
        page = open_page(address, "phone")
        expect(page.locator("#values tbody tr")).to_have_count(5)
        rows = [row.split("\t") for row in page.locator("#values tr").all_inner_texts()]
        assert [row[0] for row in rows] == ["feature", *table.columns, "squared error, normalised"]
        assert [name.strip() for name in rows[0][2:]] == ["example", "decoded", "PCA"]
        first = table.iloc[4]
        model = open_run(tmp_path / "run")
        x = table.to_numpy()[4:5]
        x_hat = decode_array(model, encode_array(model, jnp.asarray(x, jnp.float32)))
        error = np.square((x_hat - x) / model.normalisation.scale).sum()
        assert float(rows[-1][3]) == pytest.approx(error, rel=0.01)
        assert [row[2] for row in rows[1:-1]] == [digits(value) for value in first]
        bars = page.locator("#values .kind-0.bar").evaluate_all(
            "all => all.map(b => b.style.width)"
        )
        low, high = table.iloc[4::5].min(), table.iloc[4::5].max()
        widths = [float(width.rstrip("%")) for width in bars]
        np.testing.assert_allclose(widths, 100 * (first - low) / (high - low), atol=0.01)
        assert page.locator("canvas:visible").count() == 0
        slider = page.get_by_label(table.columns[2], exact=True)
        slider.focus()
        slider.press("End")
        edited = page.locator("#edited-values tbody tr").nth(2)
        expect(edited.locator("td").nth(3)).to_have_text(digits(high.iloc[2]))
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS["phone"][0]


@pytest.mark.parametrize("screen", SCREENS)
def test_figures_enlarge_at_a_tap(open_page, finished, aejax, screen):
    if not (finished.parent / "report.html").exists():
        assert aejax("report", finished, "--out", finished.parent / "report.html").code == 0
    page = open_page((finished.parent / "report.html").as_uri(), screen)
    image = page.locator("figure img").nth(1)
    before, (width, height) = size(image), SCREENS[screen]
    image.click()
    after = size(image)
    assert after[0] > 1.3 * before[0]
    frame = page.locator(".enlarge:has(:checked)").bounding_box()
    assert (frame["x"], frame["y"], frame["width"], frame["height"]) == (0, 0, width, height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    image.click(position={"x": 20, "y": 20})
    assert size(image) == before
    page.get_by_role("checkbox").nth(1).press("Space")
    assert size(image) == after


def size(image) -> tuple[float, float]:
    box = image.bounding_box()
    return box["width"], box["height"]


def test_report_slider_shows_every_epoch(open_page, tmp_path):
    history = [{"epoch": i, "step": 7 * i, "loss": 1 / i, "seconds": 0.1} for i in range(1, 101)]
    path = tmp_path / "report.html"
    path.write_text(
        report.run_page(
            title="A long run",
            summary={},
            figures=[],
            configuration={},
            environment={},
            history=history,
        ),
        encoding="utf-8",
    )
    page = open_page(path.as_uri())
    slider, row = page.get_by_role("slider"), page.locator("#every-epoch tbody tr")
    assert row.inner_text().split() == ["100", "700", "0.01000", "0.1000"]
    slider.focus()
    slider.press("Home")
    assert row.inner_text().split() == ["1", "7", "1.000", "0.1000"]
    slider.press("ArrowRight")
    assert row.inner_text().split() == ["2", "14", "0.5000", "0.1000"]
    expect(page.locator("#every-epoch output")).to_have_text("2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_pages_fit_the_screen_and_have_readable_contrast(
    open_page, address, finished, tmp_path, aejax, screen, scheme
):
    if not (finished.parent / "report.html").exists():
        assert aejax("report", finished, "--out", finished.parent / "report.html").code == 0
    explorer = open_page(address, screen, scheme)
    expect(explorer.locator("#repair")).not_to_be_empty()
    report = open_page((finished.parent / "report.html").as_uri(), screen, scheme)
    for name, page in {"explorer": explorer, "report": report}.items():
        picture = page.screenshot(path=tmp_path / f"{name}-{screen}-{scheme}.png", full_page=True)
        assert picture.startswith(b"\x89PNG")
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen][0]
        for text, ink, paper in page.evaluate(COLOURS):
            assert contrast(ink, paper) >= 4.5, (name, text, ink, paper)  # WCAG 2.1, 1.4.3
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert max(np.diff(levels)) <= 1
        assert page.locator("img:not([alt]), canvas:not([aria-label]):not(button *)").count() == 0
        unnamed = "input:not([aria-label]):not(label *), html:not([lang])"
        assert page.locator(unnamed).count() == 0


def contrast(ink: str, paper: str) -> float:
    """Contrast ratio of two CSS colours (WCAG 2.1)."""
    lights = []
    for colour in (ink, paper):
        values = np.array(json.loads(f"[{colour[colour.index('(') + 1 : -1]}]")[:3]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)
