"""An interrupt leaves no job or a whole one, and a client that works, wherever it comes."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from conftest import until
from interrupts import MEMORY, WITHIN, Bench, Interrupt, writers
from test_kernel import kernels  # noqa: F401 - a fixture

import ipybgjobs as bg
from ipybgjobs import client as client_module
from ipybgjobs import inspection, plain, unbroken
from ipybgjobs.store import submissions
from ipybgjobs.store.database import Database

WRITERS = (
    "submit submit_many cancel cancel_group retry remove priority panel keep pause resume clean allow opening".split()  # noqa: SIM905 - read in one line
)


@pytest.fixture
def bench(place, monkeypatch):
    state = tempfile.mkdtemp(dir=MEMORY)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", state)
    place.module("more", "def added():\n    return 1\n")
    made = Bench()
    yield made
    made.close()
    shutil.rmtree(state)


@pytest.mark.parametrize("name", WRITERS)
def test_an_interrupt_at_any_line_of_a_writer_leaves_all_or_nothing_and_a_client_that_works(bench, name):
    count, said = bench.sweep(writers(bench)[name], within=WITHIN.get(name, ""))
    assert count > 10
    assert said or name == "opening"
