"""The gallery and the page of the course's figures show the figure of every experiment."""

from experiments.harness import course_figures, gallery, table
from experiments.harness.records import summary_file


def test_the_gallery_is_generated_from_the_committed_records():
    assert gallery.DOCUMENT.read_text(encoding="utf-8") == gallery.page(gallery.committed())


def test_every_experiment_has_one_figure_in_the_gallery():
    names = [name for members in gallery.TOPICS.values() for name in members]
    assert sorted(names) == sorted(table.all_experiments())
    assert all(summary_file(name).with_suffix(".png").exists() for name in names)


def test_the_page_of_the_courses_figures_is_generated_and_has_every_experiment():
    expected = course_figures.page(gallery.committed())
    assert course_figures.DOCUMENT.read_text(encoding="utf-8") == expected
    assert {each.experiment for each in course_figures.FIGURES} == {*table.all_experiments()}
