"""What a notebook that runs as a job records, and its parameters as columns; in real kernels."""

import ipybgjobs as bg
from support.notebooks import code, printed, read, submit, write
from support.place import DEADLINE, until


def test_a_notebook_records_values_of_its_job_and_its_result_stays_its_path(desk):
    path = write(
        desk,
        code("lr = 0.5\nepochs = 3", "parameters"),
        code(
            "import os, numpy as np, threading, time, ipybgjobs as bg\n"
            "for epoch in range(epochs):\n    bg.record(auc=np.float32(lr * epoch), epoch=epoch)\n"
            "thread = threading.Thread(target=lambda: bg.record(thread=True)); thread.start(); thread.join()\n"
            "if not (pid := os.fork()):\n    bg.record(fork=True)\n    os._exit(0)\n"
            "os.waitpid(pid, 0)\n"
            "print('recorded')"
        ),
        code("while not os.path.exists('go'): time.sleep(0.02)"),
    )
    job = submit(path, parameters={"lr": 1.0}, output=str(desk.code / "out.ipynb"))
    until(lambda: job.values == {"auc": 2.0, "epoch": 2, "thread": True}, "the values, while it runs")
    (desk.code / "go").touch()
    assert job.result(DEADLINE) == str(desk.code / "out.ipynb")
    assert job.values == {"auc": 2.0, "epoch": 2, "thread": True}
    assert printed(read(desk.code / "out.ipynb"))[2].startswith("recorded\n")
    assert "ipybgjobs.values" not in (desk.code / "out.ipynb").read_text()


def test_a_notebooks_parameters_are_columns_beside_its_values(desk):
    write(
        desk,
        code("lr = 0.5\npath = 'data'\nstate = 'new'", "parameters"),
        code("import ipybgjobs as bg\nbg.record(auc=1 - lr, **({'lr': lr} if lr > 0.5 else {}))"),
    )
    calls = [
        {"parameters": {"lr": lr, "path": "mine", "state": "old"}, "output": str(desk.code / f"out{lr}.ipynb")}
        for lr in (0.25, 0.75)
    ]
    group = bg.submit_many("ipybgjobs.Notebook.run", calls, common={"path": str(desk.code / "train.ipynb")}).wait(DEADLINE)
    frame = group.to_frame().sort_values("values.auc")
    assert frame[["lr", "params.path", "params.state", "values.auc"]].to_numpy().tolist() == [
        [0.75, "mine", "old", 0.25],
        [0.25, "mine", "old", 0.75],
    ]
    assert frame["result"].tolist() == [str(desk.code / "out0.75.ipynb"), str(desk.code / "out0.25.ipynb")]
    assert "parameters" not in frame
    assert frame["path"].iloc[0].strip("'") == str(desk.code / "train.ipynb")


def test_a_notebook_outside_of_a_job_records_nothing(desk, place):
    write(desk, code("import ipybgjobs as bg\nbg.record(auc=1)\nprint(bg.current_job())"))
    assert printed(read(bg.run_here("ipybgjobs.Notebook.run", {"path": str(desk.code / "train.ipynb")}))) == ["None\n"]
    assert bg.jobs() == []
