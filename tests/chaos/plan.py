"""What a client does next, drawn from the seed: jobs of all kinds with all options, requests and looks between them.

It touches neither store nor process.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .jobs import blob_of
from .place import QUEUES

#: Attempts after which a job that only fails for violence has surely come through.
_MANY = 5

#: Keys of which only one job at a time may live.
KEYS = tuple(f"key-{number}" for number in range(6))


@dataclass(frozen=True)
class Order:
    """Something that a client does.

    Parameters
    ----------
    verb : str
        ``submit``, ``submit_many``, or what is asked or looked at.
    token : str
        Names the job among all of the run; empty where none is submitted.
    target : str
        Of a job.
    calls : list of dict
        Its parameters; several for a group.
    options : dict
        Of the submit.
    """

    verb: str
    token: str = ""
    target: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def jobs(self) -> int:
        """How many jobs it submits."""
        return len(self.calls)


def _unique(draw: random.Random) -> dict[str, Any]:
    return {"unique": draw.choice(KEYS), "on_duplicate": draw.choice(("reject", "existing", "replace", "replace"))}


#: Which jobs, by weight: method, its parameters, its options.
_KINDS: tuple[tuple[float, str, Callable[[random.Random], dict], Callable[[random.Random], dict]], ...] = (
    (52, "plain", lambda _: {}, lambda _: {}),
    (5, "plain", lambda draw: {"seconds": draw.uniform(0.02, 0.3)}, lambda _: {}),
    (12, "pickled", lambda _: {}, lambda _: {}),
    (3, "prints", lambda draw: {"lines": draw.choice((1, 30, 2000))}, lambda _: {}),
    (0.4, "displays", lambda _: {}, lambda _: {}),
    (1.5, "reports", lambda _: {}, lambda _: {}),
    (0.6, "plain", lambda _: {"seconds": 60.0}, lambda draw: {"timeout": draw.uniform(0.1, 0.6), "retry": 2}),
    (0.6, "catches", lambda _: {"seconds": 60.0}, lambda draw: {"timeout": draw.uniform(0.1, 0.6), "retry": 2}),
    (5, "fails", lambda draw: {"before": draw.randint(2, 3)}, lambda _: {}),
    (1, "complains", lambda draw: {"size": draw.choice((10, 10_000, 300_000))}, lambda _: {"retry": 2}),
    (2, "exits", lambda draw: {"code": draw.choice((0, 0, 3))}, lambda _: {"retry": 2}),
    (2, "vanishes", lambda draw: {"code": draw.choice((0, 9, -9))}, lambda _: {"retry": 2}),
    (1, "unkept", lambda _: {}, lambda _: {}),
    (1, "large", lambda draw: {"size": draw.choice((100_000, 1_000_000))}, lambda _: {}),
    (1.5, "children", lambda draw: {"seconds": draw.uniform(0.05, 1.0)}, lambda _: {}),
    (1, "forks", lambda _: {}, lambda _: {}),
    (3, "run", lambda draw: {"fail": draw.random() < 0.4}, lambda _: {}),
    (4, "plain", lambda draw: {"seconds": draw.uniform(0.0, 0.2)}, _unique),
)

#: What a client does, by weight: most often it submits.
_VERBS = {
    "submit": 77,
    "submit_many": 1.6,
    "look": 6,
    "cancel": 3,
    "retry": 3,
    "result": 3,
    "remove": 2,
    "list": 2,
    "priority": 1.5,
    "pause": 0.6,
}


def orders(seed: int, client: int, life: int) -> Iterator[Order]:
    """Yield what a client does in one of its lives; the same seed, client and life give the same orders."""
    draw = random.Random(f"{seed}/client {client}/life {life}")
    for number in itertools.count():
        token = f"{seed}.{client}.{life}.{number}"
        verb = draw.choices(tuple(_VERBS), tuple(_VERBS.values()))[0]
        if verb == "submit":
            yield _single(draw, token)
        elif verb == "submit_many":
            yield _group(draw, token)
        else:
            yield Order(verb)


def _single(draw: random.Random, token: str) -> Order:
    _, method, params, options = draw.choices(_KINDS, [kind[0] for kind in _KINDS])[0]
    chosen = _place_in_line(draw) | options(draw)
    if method == "run":
        chosen["init"] = {"token": token}
    call = {"token": token, **params(draw)}
    if method == "pickled":
        call["blob"] = blob_of(token)
    cls = "Hooked" if method == "run" else "Work"
    return Order("submit", token, f"{cls}.{method}", [call], chosen)


def _group(draw: random.Random, token: str) -> Order:
    tokens = [f"{token}-{number}" for number in range(draw.randint(2, 16))]
    if draw.random() < 0.5:
        return Order("submit_many", token, "Work.plain", [{"token": each} for each in tokens], _place_in_line(draw))
    calls = [{"token": each, "blob": blob_of(each)} for each in tokens]
    return Order("submit_many", token, "Work.pickled", calls, _place_in_line(draw) | {"common": {"shared": {1, 2, 3}}})


def _place_in_line(draw: random.Random) -> dict[str, Any]:
    """Queue, priority, delay, and whether it is to come after others."""
    options: dict[str, Any] = {"queue": draw.choices(tuple(QUEUES), (60, 34, 6))[0], "retry": _MANY}
    if draw.random() < 0.2:
        options["priority"] = draw.randint(-5, 5)
    if draw.random() < 0.1:
        options["delay"] = draw.uniform(0.1, 2.0)
    chance = draw.random()
    if chance < 0.08:
        options["after"] = draw.randint(1, 3)  # so many of the client's newest jobs
    elif chance < 0.12:
        options["after_any"] = draw.randint(1, 3)
    return options
