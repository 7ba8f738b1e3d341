"""Reader of TensorBoard event files that shares no code with their writer."""

import struct
from pathlib import Path
from typing import Any


def read_events(folder: Path) -> list[Any]:
    """Events of all files, as TensorBoard shows them.

    A restart at step s discards earlier events from s on. A record is length, CRC, event, CRC.
    """
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found: list[Any] = []
    for path in sorted(folder.iterdir()):
        content, start = path.read_bytes(), 0
        while start < len(content):
            (length,) = struct.unpack_from("<Q", content, start)
            event = Event.FromString(content[start + 12 : start + 12 + length])
            start += length + 16
            if event.session_log.status == SessionLog.START:
                found = [each for each in found if each.step < event.step]
            found.append(event)
    return found
