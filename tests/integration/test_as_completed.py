"""Jobs of a group, one by one as they end."""

import pytest

import ipybgjobs as bg

pytestmark = pytest.mark.shared_place


@pytest.mark.parametrize("way", ["group", "function", "list"])
def test_each_job_is_given_out_once_as_it_ends(sweep, way):
    gates = [sweep.root / f"gate{n}" for n in range(4)]
    group = bg.submit_many("sweep.waits_for", [{"path": str(gate), "n": n} for n, gate in enumerate(gates)])
    given = {
        "group": lambda: group.as_completed(60),
        "function": lambda: bg.as_completed(group, timeout=60),
        "list": lambda: bg.as_completed((job for job in [*group, *group]), 60),
    }[way]()
    seen = []
    for n in (3, 1, 0, 2):
        gates[n].touch()
        seen.append(next(given).result())
    assert seen == [3, 1, 0, 2]
    assert list(given) == []


@pytest.mark.own_place
def test_as_completed_gives_out_what_has_ended_then_says_that_the_time_is_up(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}, {"seconds": 0.0}])
    group.jobs[1].wait(60)
    for given in (group.as_completed(0.05), bg.as_completed(group, 0.05)):
        assert next(given).id == 2
        with pytest.raises(
            TimeoutError,
            match=r"(job 1 did not finish within 0\.05 s; it is still|2 jobs did not finish within 0\.05 s: 1) running",
        ):
            next(given)
    assert group.counts == {"running": 1, "succeeded": 1}
    group.cancel()
    assert sorted(job.id for job in group.as_completed(0)) == [1, 2]
    assert list(bg.as_completed([])) == []


@pytest.mark.own_place
def test_jobs_of_several_submits_end_in_one_loop_failed_and_cancelled_ones_too(sweep):
    jobs = [
        bg.submit("work.echo", {"value": 1}),
        bg.submit("work.Trainer.fail"),
        bg.submit("work.echo", {"value": 1}, delay="1h").cancel(),
    ]
    ended = {job.id: str(job.state) for job in bg.as_completed(jobs, 60)}
    assert ended == {1: "succeeded", 2: "failed", 3: "cancelled"}
