"""Files written whole: what a destination that is no plain file becomes."""

import os
import stat
import threading

import pytest

from aejax.runs.atomic_files import write_bytes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_is_written_to_and_stays(tmp_path):
    path, found = tmp_path / "pipe.json", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    reader.start()
    write_bytes(path, b"[]")
    reader.join(10)
    assert found == [b"[]"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path):
    target, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    link.symlink_to(target)
    for data in (b"first", b"second"):  # the link leads to nothing at first
        write_bytes(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data
