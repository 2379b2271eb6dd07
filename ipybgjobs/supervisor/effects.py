"""A transaction of the supervisor, and what it has decided: to be done once it is committed."""

from dataclasses import dataclass, field

from ..configuration.settings import Settings
from ..model.records import Outcome
from ..store.schedule import Schedule
from ..store.task import Environment, Task
from ..store.transitions import Transitions
from .job_logs import Message
from .running import Running


@dataclass(frozen=True, slots=True)
class Start:
    """An attempt that has been claimed and is to be launched."""

    task: Task
    number: int
    folder: str  #: absolute
    settings: Settings
    slot: int | None  #: number of the queue's slot; None for a hook
    environment: Environment

    @property
    def slot_environment(self) -> dict[str, str]:
        """The variables that the queue gives to a job in this slot."""
        queue = self.settings.queues.get(self.task.record.queue)
        return {} if queue is None or self.slot is None else queue.environment(self.slot)


@dataclass(frozen=True, slots=True)
class Notice:
    """A command to be run because a job has ended."""

    job_id: int
    command: tuple[str, ...]
    environment: Environment  #: read before its row goes
    cwd: str


@dataclass(slots=True)
class Effects:
    """What is to be done."""

    recorded: list[str] = field(default_factory=list)  #: attempt folders whose end is in the store
    starts: list[Start] = field(default_factory=list)
    endings: list[tuple[Running, Outcome, float]] = field(default_factory=list)
    late: list[Running] = field(default_factory=list)  #: whose time-out has been enforced
    adopted: bool = False  #: jobs are this place's now, because a person said so
    environments: set[int] = field(default_factory=set)  #: that may have lost their last job
    discarded: list[str] = field(default_factory=list)  #: attempt folders in which nothing ran, and nothing will
    released: bool = False  #: environment variables were deleted
    messages: list[Message] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Have a line written to the log."""
        self.messages.append(Message(text))

    def fail(self, text: str, traceback: str | None = None) -> None:
        """Have a failure written to both logs."""
        self.messages.append(Message(text, traceback, failure=True))


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: what changes jobs, what reads the queues, and what is to follow."""

    change: Transitions
    schedule: Schedule
    effects: Effects
    monotonic: float  #: when it began; the same where it has to be made anew
    _variables: dict[int, Environment] = field(default_factory=dict)

    def variables(self, environment: int | None) -> Environment | None:
        """Environment variables, the same object for the same row; None where there is no such row."""
        if environment is None:
            return None
        if environment not in self._variables:
            found = self.schedule.environment(environment)
            if found is None:
                return None
            self._variables[environment] = found
        return self._variables[environment]
