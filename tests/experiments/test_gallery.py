"""The gallery shows the committed figure of every experiment."""

from experiments.harness import gallery, table
from experiments.harness.records import summary_file


def test_the_gallery_is_generated_from_the_committed_records():
    assert gallery.DOCUMENT.read_text(encoding="utf-8") == gallery.page(gallery.committed())


def test_every_experiment_has_one_figure_in_the_gallery():
    names = [name for members in gallery.TOPICS.values() for name in members]
    assert sorted(names) == sorted(table.all_experiments())
    assert all(summary_file(name).with_suffix(".png").exists() for name in names)
