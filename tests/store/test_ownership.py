"""Whose the state folder is: other users, links, modes, masks and volumes that keep neither owners nor modes.

What needs a second user is played by root, who can become any; elsewhere those tests are skipped.
"""

import contextlib
import json
import os
import pickle
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client import writer
from ipybgjobs.state import ownership, results
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store.database import Database
from ipybgjobs.system import wakeup
from support.place import Place, running, until

#: Two users that need no entry anywhere.
ALICE, MALLORY = 12001, 12002

second_user = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user reaches, unlike those of pytest."""
    path = Path(tempfile.mkdtemp(prefix="bgjobs-shared-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def as_user(uid: int, act: Callable[[], object]) -> object:
    """Do something as another user; what it raises is raised here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            answer = (True, act())
        except BaseException as error:
            answer = (False, error)
        os.write(writing, pickle.dumps(answer))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        fine, value = pickle.loads(file.read())
    os.waitpid(child, 0)
    if not fine:
        raise value
    return value


def folder_of(uid: int, path: Path, mode: int) -> Path:
    path.mkdir()
    os.chown(path, uid, uid)
    path.chmod(mode)
    return path


def exchange(state: Path, *left_out: str) -> None:
    """Have the owner of the folder above put a copy of a state folder in its place."""
    copy = state.parent.parent / "copy"
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns(*left_out))
    for path in [copy, *copy.rglob("*")]:
        os.chown(path, MALLORY, MALLORY)

    def act() -> None:
        state.rename(state.parent / "away")
        shutil.copytree(copy, state)

    as_user(MALLORY, act)


def create(path: Path) -> None:
    StateFolder(str(path)).create()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- a second user -------------------------------------------------------------------------------------------------------


@second_user
@pytest.mark.parametrize("victim", [0, ALICE])
def test_a_folder_of_another_user_is_refused_and_nothing_is_left_in_it(shared, victim):
    state = folder_of(MALLORY, shared / "state", 0o777)
    with pytest.raises(bg.StoreError, match=rf"it belongs to user {MALLORY}, who could make you run anything"):
        as_user(victim, lambda: create(state))
    assert list(state.iterdir()) == []
    assert mode(state) == 0o777


@second_user
def test_a_store_that_another_user_has_planted_for_root_starts_nothing(place, shared, monkeypatch):
    bg.submit("work.echo", {"value": 1}).wait(60)
    state = folder_of(MALLORY, shared / "state", 0o777)
    shutil.copy(place.state / "jobs.db", state)
    os.chown(state / "jobs.db", MALLORY, MALLORY)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(state))
    for verb in (bg.jobs, lambda: bg.submit("work.echo", {"value": 2}), lambda: client_module.client().database(_folder(state))):
        with pytest.raises(bg.StoreError, match=f"belongs to user {MALLORY}"):
            verb()
    assert [path.name for path in state.iterdir()] == ["jobs.db"]


def _folder(path: Path) -> StateFolder:
    return StateFolder(str(path))


@second_user
def test_an_own_folder_that_others_could_fill_is_refused_and_after_it_is_closed_what_they_put_there(shared):
    state = folder_of(ALICE, shared / "state", 0o777)
    as_user(MALLORY, (state / "jobs").mkdir)
    with pytest.raises(bg.StoreError, match=rf"others can write to it \(mode 0777\).*close it \(chmod -R go-rwx {state}\)"):
        as_user(ALICE, lambda: create(state))
    assert mode(state) == 0o777
    as_user(ALICE, lambda: state.chmod(0o700))
    with pytest.raises(bg.StoreError, match=f"jobs in it belongs to user {MALLORY}"):
        as_user(ALICE, lambda: create(state))
    assert [path.name for path in state.iterdir()] == ["jobs"]


@second_user
@pytest.mark.parametrize("name", ["jobs", "logs", "jobs.db", "jobs.db-wal", "jobs.db-shm", "supervisor.err", "seen.json"])
def test_whatever_in_the_folder_is_another_user_s_is_refused_at_every_opening(tmp_path, name):
    state = tmp_path / "state"
    create(state)
    (state / name).exists() or (state / name).touch()
    os.chown(state / name, MALLORY, MALLORY)
    for opening in (lambda: create(state), lambda: Database(str(state / "jobs.db"), durable=True)):
        with pytest.raises(bg.StoreError, match=f"{name} in it belongs to user {MALLORY}"):
            opening()


@second_user
@pytest.mark.parametrize("what", ["the folder", "one above it", "jobs"])
def test_a_link_of_another_user_is_refused_and_where_it_leads_is_left_as_it_was(shared, what):
    sticky = shared / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    home = folder_of(ALICE, shared / "home", 0o755)
    as_user(MALLORY, lambda: (sticky / "link").symlink_to(home))
    path = {"the folder": sticky / "link", "one above it": sticky / "link" / "state", "jobs": home / "state"}[what]
    if what == "jobs":
        as_user(ALICE, lambda: create(path))
        shutil.rmtree(path / "jobs")
        (path / "jobs").symlink_to(home)
        os.lchown(path / "jobs", MALLORY, MALLORY)
    before = (sorted(home.iterdir()), mode(home))
    with pytest.raises(bg.StoreError, match=f"link that user {MALLORY} made|jobs in it belongs to user {MALLORY}"):
        as_user(ALICE, lambda: create(path))
    assert (sorted(home.iterdir()), mode(home)) == before


@second_user
def test_a_folder_that_another_user_has_exchanged_under_a_living_client_is_refused(place, shared, monkeypatch):
    above = folder_of(MALLORY, shared / "above", 0o755)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(above / "state"))
    job = bg.submit("work.echo", {"value": 1}).wait(60)
    until(lambda: not place.processes(), "the supervisor's end, which writes there still")
    exchange(above / "state", "*.sock")
    with pytest.raises(bg.StoreError, match=f"belongs to user {MALLORY}"):
        job.result(0)


@pytest.mark.crash
@second_user
def test_a_supervisor_whose_folder_another_user_has_exchanged_starts_no_other_there(place, shared, monkeypatch):
    above = folder_of(MALLORY, shared / "above", 0o755)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(above / "state"))
    running(bg.submit("work.Trainer.sleep", {"seconds": 3.0}))
    exchange(above / "state", "*.sock", "*lock*", "*.err")
    until(lambda: place.supervisor_pid() is None and place.supervisor_pid() is None, "the supervisor's end")
    until(lambda: not place.processes(), "the end of all")
    assert not [path.name for path in (above / "state").iterdir() if path.name.startswith("supervisor")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_worker(place: Place, state: Path, attempt: Path) -> None:
    """Kill a worker once the supervisor has let go of a state folder that was moved."""
    wakeup.send(str(state))
    until(lambda: place.supervisor_pid() is None and place.supervisor_pid() is None, "the supervisor's end")
    os.kill(json.loads((attempt / "started.json").read_text())["process"]["pid"], signal.SIGKILL)


@second_user
def test_what_ends_after_another_user_has_exchanged_the_folder_is_told_in_the_one_that_was_moved_away(place, shared, monkeypatch):
    above = folder_of(MALLORY, shared / "above", 0o755)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(above / "state"))
    job = running(bg.submit("work.Trainer.sleep"))
    exchange(above / "state", "*.sock", "*lock*", "*.err", "jobs.db-*")
    planted = contents(above / "state")
    kill_worker(place, above / "away", above / "away" / "jobs" / job.uid / "1")
    until(lambda: not place.processes(), "the end of all")
    assert contents(above / "state") == planted
    assert (above / "away" / "jobs" / job.uid / "1" / "exit.json").exists()
    assert "has closed it" in (above / "away" / "logs" / "background_jobs_errors.log").read_text()


def test_a_folder_that_was_moved_away_is_not_made_anew_by_what_worked_in_it(place):
    job = running(bg.submit("work.Trainer.sleep"))
    away = place.state.rename(place.root / "away")
    kill_worker(place, away, away / "jobs" / job.uid / "1")
    until(lambda: not place.processes(), "the end of all")
    assert not place.state.exists()
    assert (away / "jobs" / job.uid / "1" / "exit.json").exists()
    assert "has closed it" in (away / "logs" / "background_jobs_errors.log").read_text()


class _Evil:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path(os.environ["BGJOBS_TEST_EVIL"]),)


@second_user
@pytest.mark.parametrize("name", ["result.pkl", "exception.pkl", "parameters.pkl"])
def test_a_pickle_of_another_user_is_never_loaded(place, tmp_path, monkeypatch, name):
    monkeypatch.setenv("BGJOBS_TEST_EVIL", str(tmp_path / "evil"))
    job = bg.submit("work.echo", {"value": {1, 2}}).wait(60)
    planted = place.state / "jobs" / job.uid / ("" if name == "parameters.pkl" else "1") / name
    planted.write_bytes(pickle.dumps(_Evil()))
    (planted.parent / "outcome.json").write_text('{"result": {}, "pickled": true}')
    os.chown(planted, MALLORY, MALLORY)
    if name == "exception.pkl":
        assert isinstance(results.exception(str(planted.parent), "error", "it failed", None), bg.JobFailed)
    else:
        with pytest.raises(bg.BackgroundJobError, match=f"belongs to user {MALLORY}, who could make you run anything"):
            _ = job.params if name == "parameters.pkl" else job.result(0)
    assert not (tmp_path / "evil").exists()


@second_user
def test_a_worker_loads_no_parameters_of_another_user(place):
    job = bg.submit("work.echo", {"value": {1, 2}}, delay=3600)
    os.chown(place.state / "jobs" / job.uid / "parameters.pkl", MALLORY, MALLORY)
    with contextlib.closing(Database(str(place.state / "jobs.db"), durable=True)) as database, database.transaction() as change:
        change.execute("UPDATE jobs SET not_before = 0")
    writer.wake(_folder(place.state))
    assert f"belongs to user {MALLORY}" in str(job.wait(60).error)


# -- links, modes and masks of one user ----------------------------------------------------------------------------------


def test_own_links_are_followed_to_the_folder_and_out_of_it(place, tmp_path, monkeypatch):
    (tmp_path / "disk" / "jobs").mkdir(parents=True)
    (tmp_path / "disk" / "state").mkdir()
    (tmp_path / "disk" / "state").chmod(0o700)
    (tmp_path / "disk" / "jobs").chmod(0o700)
    (tmp_path / "disk" / "state" / "jobs").symlink_to("../jobs")
    (tmp_path / "link").symlink_to("disk/../disk")
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(tmp_path / "link" / "state"))
    job = bg.submit("work.echo", {"value": 1})
    assert job.result(60) == 1
    assert (tmp_path / "disk" / "jobs" / job.uid).exists()
    assert ownership.resolve(str(tmp_path / "link" / "state")) == str(tmp_path / "disk" / "state")


def test_links_in_a_circle_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(bg.StoreError, match="which may form a loop"):
        ownership.resolve(str(tmp_path / "a" / "state"))


def test_a_folder_above_that_everybody_may_write_is_refused_unless_it_is_sticky(tmp_path):
    (tmp_path / "above").mkdir()
    (tmp_path / "above").chmod(0o777)
    with pytest.raises(bg.StoreError, match=rf"every user can write to {tmp_path}/above.*\(chmod o-w {tmp_path}/above\)"):
        create(tmp_path / "above" / "state")
    assert list((tmp_path / "above").iterdir()) == []
    (tmp_path / "above").chmod(0o1777)
    create(tmp_path / "above" / "state")


@pytest.mark.parametrize("name", ["", "jobs", "jobs.db"])
def test_what_others_may_have_changed_is_refused_until_somebody_has_looked_and_closed_it(tmp_path, name):
    state = tmp_path / "state"
    create(state)
    Database(str(state / "jobs.db"), durable=True).close()
    (state / name).chmod(0o770)
    what = f"{name} in it" if name else "it"
    with pytest.raises(bg.StoreError, match=rf"others can write to {what} \(mode 0770\).*close it \(chmod -R go-rwx {state}\)"):
        create(state)
    subprocess.run(["chmod", "-R", "go-rwx", state], check=True)
    create(state)


def test_a_folder_that_others_could_only_read_is_closed_to_them_and_used(tmp_path):
    state = tmp_path / "state"
    create(state)
    state.chmod(0o755)
    create(state)
    assert mode(state) == 0o700


@pytest.mark.parametrize("umask", [0o777, 0o700, 0o277, 0o177, 0o111, 0o077, 0o022, 0])
def test_folders_are_usable_and_nobody_else_may_write_them_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        create(tmp_path / "a" / "b" / "state")
        Database(str(tmp_path / "a" / "b" / "state" / "jobs.db"), durable=True).close()
    finally:
        os.umask(before)
    made = tmp_path / "a" / "b" / "state"
    assert {mode(path) for path in (made, made / "jobs", made / "logs")} == {0o700}
    assert {mode(path) for path in made.iterdir() if path.is_file()} == {0o600}
    for above in (tmp_path / "a", tmp_path / "a" / "b"):
        assert mode(above) & 0o722 == 0o700


def test_a_folder_that_an_odd_umask_has_made_unusable_is_mended(tmp_path):
    (tmp_path / "state").mkdir(mode=0o000)
    create(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o700


# -- volumes that keep no owners, or no modes ----------------------------------------------------------------------------


@pytest.fixture
def mount(shared: Path) -> Iterator[Callable[..., Path]]:
    """Mount a folder so that it shows what a squashed or foreign volume shows."""
    if os.getuid() != 0 or not shutil.which("bindfs") or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root, bindfs and /dev/fuse")
    places: list[Path] = []

    def mounted(*options: str) -> Path:
        source, place = shared / "source", shared / "volume"
        source.mkdir()
        place.mkdir()
        done = subprocess.run(["bindfs", *options, source, place], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mounted
    for place in places:
        subprocess.run(["fusermount3", "-u", "-z", place], check=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((f"--force-user={ALICE}",), rf"what you create there belongs to user {ALICE}, but you are user 0"),
        (("--perms=0755", "--chmod-ignore"), r"its volume does not store modes \(this one stays 0755\)"),
    ],
)
def test_a_volume_that_gives_everything_another_owner_or_keeps_no_modes_is_refused_and_left_empty(mount, options, said):
    volume = mount(*options)
    with pytest.raises(bg.StoreError, match=said) as refused:
        create(volume / "state")
    assert "set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to a folder that you created yourself" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(volume.iterdir()) == []


@second_user
def test_root_may_use_a_folder_that_it_makes_itself_on_a_volume_of_another_user(shared):
    home = folder_of(ALICE, shared / "home", 0o755)
    create(home / "state")
    assert (home / "state").stat().st_uid == 0


# -- its price -----------------------------------------------------------------------------------------------------------


@pytest.mark.crash
def test_an_opening_that_is_refused_is_one_sentence_in_a_terminal_and_in_doctor(place: Place, capsys):
    from ipybgjobs.commands import cli

    bg.submit("work.echo", {"value": 1}).wait(60)
    place.state.chmod(0o777)
    client_module.client().close()
    client_module.use(client_module.Client())
    capsys.readouterr()
    assert cli.main(["list"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert (
        "others can write to it (mode 0777), and so may have changed what is there: check it, and if it is all yours, close it"
        in said
    )
    place.state.chmod(0o700)
