"""What a type checker must refuse: each line has one error, which mypy misses if it is not there (`warn_unused_ignores`)."""

from typing import assert_type

import ipybgjobs as bg
from ipybgjobs import SubmitManyOptions, SubmitOptions, Sumbit  # type: ignore[attr-defined] # noqa: F401

# -- names that do not exist

bg.sumbit("training.fit")  # type: ignore[attr-defined]
bg.job(3).canel()  # type: ignore[attr-defined]

# -- options of `submit`

bg.submit("training.fit", quue="gpu")  # type: ignore[arg-type]
bg.submit("training.fit", epochs=3)  # type: ignore[arg-type]
bg.submit("training.fit", {}, {})  # type: ignore[call-arg]
bg.submit("training.fit", priority="high")  # type: ignore[arg-type]
bg.submit("training.fit", on_duplicate="ignore")  # type: ignore[arg-type]
bg.submit("training.fit", at=5)  # type: ignore[arg-type]
bg.submit("training.fit", after=1.5)  # type: ignore[arg-type]
bg.submit("training.fit", retry="3")  # type: ignore[arg-type]
bg.submit(3)  # type: ignore[arg-type]
bg.submit(["training.fit"])  # type: ignore[arg-type]

# -- options that are passed on

bg.submit_many("training.fit", [], unique="report")  # type: ignore[arg-type]
bg.submit_many("training.fit", [], on_duplicate="existing")  # type: ignore[arg-type]
bg.submit_many("training.fit", [], reuse=True)  # type: ignore[call-arg]
bg.submit_many("training.fit", [], timeout=[])  # type: ignore[arg-type]
bg.run_background_job("training.Trainer", "fit", {}, quue="gpu")  # type: ignore[call-arg]
bg.run_background_job("training.Trainer", "fit", {}, reuse=[])  # type: ignore[arg-type]
misspelt: SubmitOptions = {"tiemout": "2h"}  # type: ignore[typeddict-unknown-key]
mistyped: SubmitOptions = {"unique": 3}  # type: ignore[typeddict-item]
for_one: SubmitManyOptions = {"reuse": True}  # type: ignore[typeddict-unknown-key]

# -- what functions return

assert_type(bg.submit("training.fit"), bg.Group)  # type: ignore[assert-type]
bg.job(3.5)  # type: ignore[arg-type]
bg.clean(yes=True)  # type: ignore[call-arg]
bg.clean(keep_jobs="all")  # type: ignore[arg-type]
