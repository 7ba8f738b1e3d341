"""Reports are complete, valid and self-contained HTML, with all content as text."""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from aejax import plots, report
from aejax.report import tables
from aejax.theory import Certificate
from tests.plots.test_plots import record

INJECTION = "<script>alert('no')</script> & \"quoted\""
VOID = {"img", "meta", "br", "input"}


class Parsed(HTMLParser):
    """Elements of a page and their text; fails on unbalanced tags."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.text[tag] = self.text.get(tag, "") + data

    def of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


CERTIFICATES = [
    Certificate(
        claim="PCA leaves out the least",
        formula="min L = Σ_{i>k} λ_i",
        source="Eckart & Young 1936",
        residual=3.1e-15,
        tolerance=1e-8,
        verdict=verdict,
        reason=f"because of <{verdict}>",
        control=control,
    )
    for verdict, control in (
        ("holds", 0.5),
        ("fails", 1e-6),
        ("not identifiable", None),
        ("not applicable", None),
    )
]


def captioned(alt='four "eigenvalues"'):
    figure = plots.spectrum(np.array([4.0, 3, 2, 1]), 2)
    return report.CaptionedFigure(figure, "Spectrum <b>", "Cut at k < 3", alt)


@pytest.fixture(scope="module")
def page():
    return report.run_page(
        title=f"Run {INJECTION}",
        summary={"error": 13.25, "data": INJECTION, "examples": 60000, "gap": -1.5e-7},
        figures=[captioned(), captioned()],
        configuration={
            "sizes": (64, 32),
            "note": INJECTION,
            "corruption": {"name": "masking", "rate": 0.25},
            "learning_rate": 1e-05,
            "penalties": {},
            "resume": None,
        },
        environment={"jax": "0.10.2", "device": INJECTION},
        history=[record(i, 9.0 / i, validation={"loss": 7.5 + (i - 2) ** 2}) for i in (1, 2, 3)],
        certificates=CERTIFICATES,
    )


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page)


def svg_of(attributes):
    kind, data = attributes["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(data).decode()


def test_a_document_has_one_title_and_a_heading_per_section(page, parsed):
    assert page.startswith("<!doctype html>\n")
    assert parsed.of("html") == [{"lang": "en-GB"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in parsed.of(
        "meta"
    )
    assert parsed.tags.count("h1") == 1
    assert parsed.text["h1"] == parsed.text["title"] == f"Run {INJECTION}"
    assert parsed.text["h2"] == "FiguresCertificatesTrainingConfigurationEnvironment"


def test_the_table_of_contents_links_to_the_sections(parsed):
    targets = [attributes["href"] for attributes in parsed.of("a")]
    assert len(targets) == 5
    assert targets == [f"#{attributes['id']}" for attributes in parsed.of("h2")]


def test_the_page_loads_no_resources_and_runs_no_scripts(page, parsed):
    assert "script" not in parsed.tags
    assert not {"link", "iframe", "object"} & set(parsed.tags)
    assert "url(" not in page
    assert "@import" not in page
    links = [value for _, attrs in parsed.attributes for name in ("src", "href") if
             (value := attrs.get(name))]  # fmt: skip
    assert len(links) == 7
    assert all(link.startswith(("data:", "#")) for link in links)


def test_figures_are_svg_with_alternative_text(parsed):
    images = parsed.of("img")
    assert [image["alt"] for image in images] == ['four "eigenvalues"'] * 2
    for image in images:
        svg = ElementTree.fromstring(svg_of(image))
        assert "component i" in "".join(svg.itertext())
        assert [link for link in svg.iter() if link.get("href", "#")[0] != "#"] == []
    assert parsed.text["figcaption"] == "Cut at k < 3" * 2
    assert parsed.text["h3"] == "Spectrum <b>" * 2


def test_ink_adapts_to_dark_mode(parsed):
    svg = svg_of(parsed.of("img")[0])
    assert svg.count(plots.INK) == 1  # where the light scheme defines it
    assert f":root{{--ink:{plots.INK}}}@media(prefers-color-scheme:dark){{:root{{--ink:" in svg
    assert "stroke: var(--ink)" in svg
    assert "fill: var(--ink)" in svg


def test_every_setting_is_shown_in_full_and_escaped(parsed):
    for text in ("sizes(64, 32)", "corruption.namemasking", "corruption.rate0.25"):
        assert text in parsed.text["main"].replace("\n", "")
    for text in ("learning_rate1e-05", "penalties{}", "resumeNone", f"note{INJECTION}"):
        assert text in parsed.text["main"]
    assert f"device{INJECTION}" in parsed.text["main"]


def test_numbers_of_the_summary_are_formatted(parsed):
    assert parsed.text["dt"] == "errordataexamplesgap"
    assert parsed.text["dd"] == f"13.25{INJECTION}60\u202f000−1.50\u202f×\u202f10−7"


def test_certificates_show_verdict_reason_and_numbers(parsed):
    main = parsed.text["main"]
    verdicts = ("✓ holds", "✗ fails", "– not identifiable", "– not applicable")
    assert all(main.count(verdict) == 1 for verdict in verdicts)
    for certificate in CERTIFICATES:
        assert certificate.reason in main
    assert main.count("Eckart & Young 1936") == 4
    assert main.count("3.10\u202f×\u202f10−15") == 4
    assert [main.count(word) for word in ("rejected0.5000", "not rejected1.00")] == [1, 1]
    assert main.count("none–") == 2


def test_the_best_epoch_is_stated(parsed):
    sentence = "All 3 epochs. The validation loss was lowest, 7.500, after epoch 2."
    assert sentence in parsed.text["main"]


def test_a_long_history_is_thinned_but_includes_the_best_and_the_last_epoch():
    history = [record(i, 1.0, validation={"loss": abs(i - 7.0)}) for i in range(1, 102)]
    page = report.run_page(
        title="Long", summary={}, figures=[], configuration={}, environment={}, history=history
    )
    thinned, every = page.split('<div id="every-epoch" hidden>')
    epochs = [int(row.split("</td>")[0]) for row in thinned.split('<tr><td class="number">')[1:]]
    assert epochs == sorted({*range(6, 102, 6), 7, 101})
    assert "One epoch in 6, and the last." in page
    rows = json.loads(re.search(r"rows = (\[.*\]);", every)[1])
    assert [int(re.search(r">(\d+)<", row)[1]) for row in rows] == list(range(1, 102))
    assert every.count('<tr><td class="number">7</td>') == 1  # the slider starts at the best


def test_a_short_history_has_no_slider(parsed):
    assert {each["type"] for each in parsed.of("input")} == {"checkbox"}  # to enlarge figures


def test_empty_sections_are_omitted():
    parsed = Parsed(
        report.run_page(
            title="Empty",
            summary={},
            figures=[],
            configuration={"seed": 0},
            environment={},
            history=[],
        )
    )
    assert parsed.text["h2"] == "Configuration"


def test_the_same_figure_gives_the_same_bytes():
    assert report.render_figures([captioned()]) == report.render_figures([captioned()])


def test_a_png_file_is_embedded_unchanged():
    shown = captioned()._replace(figure=b"\x89PNG\r\n")
    (image,) = Parsed(report.page("P", [report.Section("F", report.render_figures([shown]))])).of(
        "img"
    )
    kind, content = image["src"].split(",")
    assert (kind, base64.b64decode(content)) == ("data:image/png;base64", b"\x89PNG\r\n")


def test_a_figure_without_alternative_text_is_refused():
    with pytest.raises(ValueError, match="'Spectrum <b>' needs an alternative text"):
        report.render_figures([captioned(alt=" ")])


def test_a_page_consists_of_its_sections():
    figure = report.CaptionedFigure(Figure(), "Nothing", "Empty", "an empty figure")
    sections = [
        report.Section("A & B", tables.table([{"x": 1.0, "y": "<i>"}, {"x": float("nan")}])),
        report.Section("Figure", report.render_figures([figure])),
    ]
    sections.append(report.Section("More", report.link("to <b>", "b&c.html")))
    page = report.page("Experiment", sections, lead="<p>Lead</p>")
    parsed = Parsed(page)
    assert parsed.text["h2"] == "A & BFigureMore"
    assert parsed.of("a")[-1] == {"href": "b&c.html"}
    assert parsed.text["a"].endswith("to <b>")
    assert parsed.text["td"] == "1.000<i>nan"
    assert "<p>Lead</p>" in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567, "1\u202f234\u202f567"),
        (0.0, "0"),
        (12.3456, "12.35"),
        (1234.5, "1234"),
        (np.float32(0.25), "0.2500"),
        (123456.7, "123\u202f457"),
        (float("inf"), "inf"),
        (True, "True"),
        (None, "–"),
        ("1e-5", "1e-5"),
    ],
)
def test_values_in_tables_are_formatted(value, text):
    assert Parsed(tables.table([{"x": value}])).text["td"] == text


def test_a_list_of_texts_has_no_brackets():
    html = tables.definitions({"ignore": ["patient", "a<b"], "sizes": [8, 2], "empty": []})
    assert all(f"<td>{text}</td>" in html for text in ("patient, a&lt;b", "[8, 2]", "[]"))
