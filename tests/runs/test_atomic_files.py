"""Atomic writes to destinations that are not regular files."""

import os
import stat
import threading

import pytest

from aejax.runs.atomic_files import write_bytes
from aejax.runs.atomic_folders import new_folder
from aejax.runs.image_outputs import check_image_destination


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_pipe_is_written_in_place(tmp_path):
    path, found = tmp_path / "pipe.json", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    reader.start()
    write_bytes(path, b"[]")
    reader.join(10)
    assert found == [b"[]"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [*tmp_path.iterdir()] == [path]


def test_target_of_a_symbolic_link_is_replaced(tmp_path):
    target, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    link.symlink_to(target)
    for data in (b"first", b"second"):  # the target does not exist at first
        write_bytes(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data


def test_a_folder_is_written_completely_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "out"
    with pytest.raises(FileNotFoundError), new_folder(out) as folder:
        (folder / "a" / "b").write_text("the folder a does not exist")
    assert not list((tmp_path / "new").iterdir())
    out.mkdir()  # an empty folder is replaced
    with new_folder(out) as folder:
        (folder / "a").write_text("a")
        assert not (out / "a").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]
    assert (out / "a").read_text() == "a"
    with pytest.raises(FileExistsError, match="exists and is not an empty folder"):
        check_image_destination(out, tmp_path)
    with pytest.raises(FileExistsError, match="out exists: choose another --out"), new_folder(out):
        pass
    assert (out / "a").read_text() == "a"
