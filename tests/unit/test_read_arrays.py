"""Files of arrays: whole and right, or an error that the callers know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cartpole_lab.files import read_arrays


@pytest.mark.parametrize("at", [4, 6, 8, 14, 28])
def test_arrays_of_a_damaged_file_are_an_error_of_ours(at: int, tmp_path: Path) -> None:
    """Wherever it is damaged, and whatever the readers raise: of a version to come zipfile raises no ValueError."""

    np.savez_compressed(path := tmp_path / "curve.npz", epoch=np.arange(50.0))
    assert read_arrays(path)["epoch"].sum() == 1225
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + at] ^= 0xFF
    path.write_bytes(data)
    try:
        found = read_arrays(path)
    except ValueError:
        return
    assert found["epoch"].sum() == 1225, "taken, and it is another one"
