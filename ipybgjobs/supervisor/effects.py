"""A transaction of the supervisor, and the actions it has decided on, to be taken after the commit."""

from msgspec import Struct, field

from ..configuration.settings import Settings
from ..model.records import Outcome
from ..store.schedule import Schedule
from ..store.scheduled_job import Environment, ScheduledJob
from ..store.transitions import Transitions
from .job_logs import Message
from .running import ActiveAttempt


class Start(Struct, frozen=True):
    """An attempt that has been claimed and is to be launched."""

    job: ScheduledJob
    number: int
    folder: str  #: absolute
    settings: Settings
    slot: int | None  #: slot number in the queue; None for a hook
    environment: Environment

    @property
    def slot_environment(self) -> dict[str, str]:
        """The variables that the queue sets for a job in this slot."""
        queue = self.settings.queues.get(self.job.record.queue)
        return {} if queue is None or self.slot is None else queue.environment(self.slot)


class FinishCommand(Struct, frozen=True):
    """A command to be run because a job has finished."""

    job_id: int
    command: tuple[str, ...]
    environment: Environment  #: read before its row is deleted
    cwd: str


class Effects(Struct):
    """The actions to take."""

    recorded: list[str] = field(default_factory=list)  #: attempt folders whose end is in the store
    starts: list[Start] = field(default_factory=list)
    endings: list[tuple[ActiveAttempt, Outcome, float]] = field(default_factory=list)
    late: list[ActiveAttempt] = field(default_factory=list)  #: attempts whose timeout has been enforced
    adopted: bool = False  #: jobs now belong to this place, because a user adopted them
    environments: set[int] = field(default_factory=set)  #: environments that may have lost their last job
    discarded: list[str] = field(default_factory=list)  #: attempt folders in which nothing ran, and nothing will
    released: bool = False  #: environment variables were deleted
    messages: list[Message] = field(default_factory=list)
    finish_commands: list[FinishCommand] = field(default_factory=list)

    def log(self, text: str) -> None:
        """Add a line for the log."""
        self.messages.append(Message(text))

    def log_failure(self, text: str, traceback: str | None = None) -> None:
        """Add a failure for both logs."""
        self.messages.append(Message(text, traceback, failure=True))


class Transaction(Struct, frozen=True):
    """One transaction: access to change jobs and to read the queues, and the actions to follow."""

    change: Transitions
    schedule: Schedule
    effects: Effects
    monotonic: float  #: when it began; unchanged if it has to be repeated
    _variables: dict[int, Environment] = field(default_factory=dict)

    def variables(self, environment: int | None) -> Environment | None:
        """Return environment variables, the same object for the same row; None if there is no such row."""
        if environment is None:
            return None
        if environment not in self._variables:
            found = self.schedule.environment(environment)
            if found is None:
                return None
            self._variables[environment] = found
        return self._variables[environment]
