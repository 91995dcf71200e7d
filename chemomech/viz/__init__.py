"""Pictures and the report page of a finished run."""

from chemomech.viz.frames import Frame, load_frame, read_frames
from chemomech.viz.history import read_history
from chemomech.viz.rendering import can_render
from chemomech.viz.reporting import report

__all__ = ["Frame", "can_render", "load_frame", "read_frames", "read_history", "report"]
