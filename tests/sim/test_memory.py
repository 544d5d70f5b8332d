"""Memory does not grow with the length of a take."""

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor

import pytest

from core.session.storage import SessionFolder
from sim.record import perform, record, write_truth
from sim.rig import find_preset, find_rig

MIB = 1024  # ru_maxrss is in KiB


def _peak_of_truth(folder: str, seconds: float) -> int:
    show = perform(
        "blocks_to_tray",
        seconds=seconds,
        seed=1,
        rig=find_rig("head"),
        preset=find_preset("default"),
    )
    write_truth(SessionFolder(folder), show)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _peak_of_take(folder: str, seconds: float) -> int:
    record(folder, seconds=seconds, seed=1, rig="head")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _peaks(job, folder, lengths):
    """What each length needs at most, in a process of its own, MiB."""
    context = multiprocessing.get_context("spawn")
    peaks = []
    for seconds in lengths:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            peaks.append(pool.submit(job, f"{folder}/{seconds}", seconds).result() / MIB)
    return peaks


def test_truth_of_a_long_take_fits_where_that_of_a_short_one_does(tmp_path):
    """What grows is the plan and the head's spline: some 0.03 MiB per second of a take."""
    short, long = _peaks(_peak_of_truth, str(tmp_path), (10.0, 60.0))
    assert long - short < 12


@pytest.mark.slow
@pytest.mark.usefixtures("can_draw")
def test_pictures_of_a_longer_take_need_no_more_memory(tmp_path):
    short, long = _peaks(_peak_of_take, str(tmp_path), (4.0, 16.0))
    assert long - short < 40
