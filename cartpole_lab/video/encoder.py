"""Pictures into a film: H.264 that every browser plays, whole under its name or not there."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from cartpole_lab.errors import UserError
from cartpole_lab.files import into_place

_CODEC = ("-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "21")
_LAYOUT = ("-movflags", "+faststart", "-f", "mp4")
"""The index comes first, so that a film starts at once."""


def write_mp4(frames: Iterable[np.ndarray], path: Path, *, fps: int, poster_s: float, overwrite: bool = True) -> None:
    """Encode pictures as H.264 in the pixel format that every browser plays.

    Args:
        frames: Pictures of one size, shape ``(height, width, 3)``, uint8. Both sides are even.
        path: The ``.mp4`` to write; the poster is the ``.png`` beside it. A film that is broken off leaves neither.
        fps: Frames a second.
        poster_s: Moment that the poster shows [s].
        overwrite: Whether files of these names are replaced.

    Raises:
        UserError: The film cannot be written, as on a full disk, or its name is taken and may not be replaced.
    """
    from PIL import Image

    with _partial(path) as film, _partial(path.with_suffix(".png")) as poster, contextlib.ExitStack() as stack:
        into: IO[bytes] | None = None
        try:
            for index, frame in enumerate(frames):
                if into is None:
                    into = stack.enter_context(_encoder(film, path, frame, fps))
                into.write(np.ascontiguousarray(frame).data)
                if index == int(poster_s * fps):
                    Image.fromarray(frame).save(poster, format="PNG", optimize=True)
        except BrokenPipeError:
            pass  # the encoder has given up, and says why
        stack.close()
        for part, done in ((poster, path.with_suffix(".png")), (film, path)):
            if part.stat().st_size:
                into_place(part, done, overwrite=overwrite)


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` under a name of its own, so that two at once don't meet; removed if it is left."""
    with tempfile.NamedTemporaryFile(
        prefix=f".{path.stem[:100]}.", suffix=f".part{path.suffix}", dir=path.parent, delete=False
    ) as file:
        partial = Path(file.name)
    partial.chmod(0o644)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _encoder(partial: Path, path: Path, frame: np.ndarray, fps: int) -> Iterator[IO[bytes]]:
    """What takes the bytes of pictures like ``frame``, and has written the film when the block ends."""
    import imageio_ffmpeg

    size = ("-s", f"{frame.shape[1]}x{frame.shape[0]}", "-pix_fmt", "rgb24", "-r", str(fps))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "rawvideo", *size, "-i", "-"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*command, *_CODEC, *_LAYOUT, str(partial)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            process_group=0,  # Ctrl-C is for this process, which ends the other one
        )
        assert process.stdin is not None
        try:
            yield process.stdin
        except BaseException:
            process.kill()
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            why = next((line for line in lines if "No space" in line), lines[-1] if lines else "ffmpeg gave up")
            raise UserError(f"film {str(path)!r} cannot be written ({why.rpartition(': ')[2]})")
