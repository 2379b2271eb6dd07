"""The launch path against bare `Popen`, in one run on one machine: python benchmarks/launch.py [jobs].

Prints medians and ratios; the limits are ratios, since machines differ. Every process here is started with the same
interpreter. Bytecode is written, as it is for users.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SINGLE = 60

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
root = Path(tempfile.mkdtemp(prefix="ipybgjobs-bench-"))
(root / "code").mkdir()
(root / "code" / "noop.py").write_text(
    "import time\n\ndef stamp(path):\n    with open(path, 'w') as file:\n        file.write(str(time.time_ns()))\n\n\n"
    "def nothing():\n    return None\n\n\n"
    "def wait(path):\n    import os\n    while not os.path.exists(path):\n        time.sleep(0.02)\n"
)
(root / "config.py").write_text(
    'c.BackgroundJobs.allowed_jobs = {"noop": ["stamp", "nothing", "wait"]}\nc.BackgroundJobs.idle_seconds = 20\n'
)
os.environ |= {"IPYBGJOBS_CONFIG": str(root / "config.py"), "IPYBGJOBS_STATE_DIR": str(root / "state")}
sys.path.insert(0, str(root / "code"))

import ipybgjobs as bg  # noqa: E402 - after the environment is set


def pss(pids):
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def ours():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(root / "state").encode() in line:
            found.append(int(name))
    return found


def bare_single(path):
    code = f"import time; open({str(path)!r}, 'w').write(str(time.time_ns()))"
    began = time.time_ns()
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, start_new_session=True)
    called = time.time_ns()
    process.wait()
    return (called - began) / 1e6, (int(path.read_text()) - began) / 1e6


def our_single(path):
    began = time.time_ns()
    job = bg.submit("noop.stamp", {"path": str(path)})
    called = time.time_ns()
    job.wait(60)
    return (called - began) / 1e6, (int(path.read_text()) - began) / 1e6


def bare_many(count):
    began = time.perf_counter()
    flying = []
    started = 0
    while started < count or flying:
        while started < count and len(flying) < 2:
            flying.append(subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.DEVNULL))
            started += 1
        pid, _ = os.waitpid(-1, 0)
        for process in flying:
            if process.pid == pid:
                process.returncode = 0
        flying = [process for process in flying if process.pid != pid]
    return count / (time.perf_counter() - began)


def our_many(count):
    began = time.perf_counter()
    jobs = [bg.submit("noop.nothing") for _ in range(count)]
    submitted = time.perf_counter()
    jobs[-1].wait(600)
    while bg.jobs(state="running", limit=1) or bg.jobs(state="queued", limit=1):
        time.sleep(0.002)
    return count / (time.perf_counter() - began), (submitted - began) / count * 1000


def median(values):
    return statistics.median(values)


bg.submit("noop.nothing").wait(60)
bare, own = [], []
for number in range(SINGLE):  # in turn, so that fluctuations of the machine affect both
    bare.append(bare_single(root / f"bare{number}"))
    own.append(our_single(root / f"own{number}"))
    time.sleep(0.01)
rounds = [(bare_many(JOBS // 3), *our_many(JOBS // 3)) for _ in range(3)]
time.sleep(0.5)
standing = pss(ours())
held = [bg.submit("noop.wait", {"path": str(root / "go")}) for _ in range(2)]
while any(job.state != "running" for job in held):
    time.sleep(0.01)
time.sleep(0.3)
with_two = pss(ours())
(root / "go").write_text("")
bg.job(held[-1].id).wait(30)

results = {
    "submit_ms": median(o[0] for o in own),
    "popen_call_ms": median(b[0] for b in bare),
    "start_ms": median(o[1] for o in own),
    "popen_start_ms": median(b[1] for b in bare),
    "jobs_per_second": median(r[1] for r in rounds),
    "popen_per_second": median(r[0] for r in rounds),
    "burst_submit_ms": median(r[2] for r in rounds),
    "standing_pss_mb": standing,
    "worker_pss_mb": (with_two - standing) / 2,
}
results["submit_ratio"] = results["submit_ms"] / results["popen_call_ms"]
results["start_ratio"] = results["start_ms"] / results["popen_start_ms"]
results["throughput_ratio"] = results["jobs_per_second"] / results["popen_per_second"]
print(json.dumps({name: round(value, 3) for name, value in results.items()}, indent=2))
