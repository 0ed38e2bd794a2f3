# SPDX-License-Identifier: Apache-2.0
"""Arrays on disk are as those in memory, take none of it, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from m2vae_ros.host import spill
from m2vae_ros.host.spill import Rows, gathered, parts, spilled

ARRAYS = st.sampled_from([np.uint8, np.float32, np.int64, "U3"]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6))
)


@pytest.fixture(autouse=True, scope="module")
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "PART", 40)
        yield


@given(source=ARRAYS, data=st.data())
def test_what_is_gathered_is_what_the_index_says(source: np.ndarray, data: st.DataObject) -> None:
    rows = st.lists(st.integers(0, max(0, len(source) - 1)), max_size=20 if len(source) else 0)
    index = np.array(data.draw(rows), dtype=np.int64)
    found = gathered(source, index)
    assert found.dtype == source.dtype
    np.testing.assert_array_equal(found, source[index])


@given(source=ARRAYS)
def test_parts_are_in_order_and_together_all(source: np.ndarray) -> None:
    found = [source[part] for part in parts(source)]
    np.testing.assert_array_equal(np.concatenate([source[:0], *found]), source)
    assert all(part.nbytes <= 40 or len(part) == 1 for part in found)


@given(source=ARRAYS)
def test_rows_are_an_array_at_any_time(source: np.ndarray) -> None:
    rows = Rows(source.shape[1:], source.dtype)
    for count, row in enumerate(source):
        np.testing.assert_array_equal(rows.array(), source[:count])
        rows.append(row)
    assert len(rows) == len(source)
    np.testing.assert_array_equal(rows.array(), source)


def test_a_row_of_another_shape_is_refused() -> None:
    rows = Rows((3,), np.float32)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        rows.append([1.0, 2.0])
    assert not len(rows.array())


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    with pytest.raises(OSError, match=r"no room for 7.04e\+04 GB, see TMPDIR: '/"):
        spilled((2**40, 64), np.uint8)


@pytest.mark.parametrize("end", ["kill", "interrupt", "error"])
def test_nothing_stays_of_a_process_however_it_ends(end: str, tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from m2vae_ros.host.spill import Rows, spilled
some, rows = spilled((1000, 1000), np.float32), Rows((1000,), np.float32)
some[:] = 1.0
rows.append(some[0])
print("written", flush=True)
if sys.argv[1] != "error":
    sys.stdin.read()
raise ValueError
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code, end],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        if end != "error":
            child.send_signal(signal.SIGKILL if end == "kill" else signal.SIGINT)
        child.wait(20)
    assert child.returncode
    assert list(tmp_path.iterdir()) == []


def test_an_array_outlives_the_rows_it_was_made_of_and_their_file_is_closed() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = Rows((2,), np.int64)
        rows.append([1, 2])
        array = rows.array()
        del rows
        gc.collect()
    assert array.tolist() == [[1, 2]]
    assert not [str(warning.message) for warning in said]


ELSEWHERE = """
import numpy as np
from joblib import Parallel, delayed
from m2vae_ros.host.spill import gathered, spilled

array = spilled((1000, 300), np.float32)  # larger than what joblib sends by value
array[:] = np.arange(300)
(back,) = Parallel(n_jobs=2)([delayed(gathered)(array, np.arange(999))])
np.testing.assert_array_equal(back, array[:999])
"""


def test_an_array_goes_to_another_process_and_back() -> None:
    ended = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
