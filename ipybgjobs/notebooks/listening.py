"""An nbclient client that behaves like a page: outputs go below their cell whenever they arrive, and none is dropped.

It runs single cells and forwards their outputs; it never decides which cell is next, or what an error means.
"""

import asyncio
import time
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import v4

from ..state import current_job
from . import received_values
from .document import CodeCell
from .forwarding import MessageForwarder
from .growing_stream import StreamBuffer
from .message_counter import MessageCounter
from .output_file import OutputNotebook
from .output_limits import Bounds
from .pacing import Pacing

#: Seconds that a kernel may take to start.
_STARTUP = 300

#: Seconds of silence after a cell's end after which its last messages are no longer awaited.
_SILENCE = 10.0

#: Seconds to wait for outputs of tasks and threads after the last cell.
_AFTER_ALL = 10.0

#: Seconds between two checks whether the kernel is alive.
_LOOK = 0.5


#: Types of messages with outputs.
_SHOWS = ("stream", "display_data", "execute_result", "update_display_data", "error")


class ForwardingClient(NotebookClient):
    """Runs cells in a kernel, and forwards their outputs.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook, whose cells receive their outputs.
    forwarder : MessageForwarder
        Also receives the outputs.
    output_notebook : OutputNotebook
        Writes the notebook.
    """

    def __init__(self, notebook: Any, forwarder: MessageForwarder, output_notebook: OutputNotebook) -> None:
        super().__init__(notebook, startup_timeout=_STARTUP, timeout=None)
        self._forwarder = forwarder
        self._output = output_notebook
        self._message_counter = MessageCounter()
        self._stream_buffer = StreamBuffer()
        self._bounds = Bounds(current_job.most_output())
        self._pacing = Pacing()
        self._keeps_all = False  # whether the kernel drops nothing, so that a missing number was never sent
        self._heard = 0  # number of messages
        self._owners: dict[str, tuple[Any, int]] = {}  # cells and their positions, by the request that runs them
        self._current = -1  # position of the cell that a message is for
        self._clearing: set[int] = set()  # positions of cells whose next output replaces the earlier ones
        self._complete: set[int] = set()  # positions of cells whose last message has arrived

    @property
    def clear_before_next_output(self) -> bool:
        """Whether the next output of a cell replaces its earlier ones; for each cell, where nbclient has one flag for all."""
        return self._current in self._clearing

    @clear_before_next_output.setter
    def clear_before_next_output(self, value: bool) -> None:
        (self._clearing.add if value else self._clearing.discard)(self._current)

    async def start(self, manager: AsyncKernelManager, **options: Any) -> None:
        """Start a kernel, and learn its language.

        Raises
        ------
        OSError, RuntimeError, ValueError
            If it does not start, or if another process answers instead.
        """
        self.km = manager
        await self.async_start_new_kernel(**options)
        client: Any = await self.async_start_new_kernel_client()
        reply = await self.async_wait_for_reply(client.kernel_info())
        said = {} if reply is None else reply["content"]
        if "language_info" in said:
            self.nb.metadata["language_info"] = said["language_info"]
        if said.get("implementation") == "ipython":
            try:
                kept = await self.async_wait_for_reply(client.execute(self._pacing.request(), silent=True, store_history=False))
            finally:
                self._pacing.begun()
            self._keeps_all = kept is not None and kept["content"]["status"] == "ok"
            await self.async_wait_for_reply(client.execute(received_values.request(), silent=True, store_history=False))

    async def run_cell(self, cell: CodeCell) -> None:
        """Run a cell.

        Raises
        ------
        CellExecutionError
            If it raises.
        DeadKernelError
            If the kernel dies.
        """
        self._current = cell.place
        try:
            await self.async_execute_cell(cell.cell, cell.place, execution_count=cell.number)
        finally:
            self._stream_buffer.flush()
        if cell.place not in self._complete:
            self._say_missing(f"The last messages of cell {cell.number} did not arrive within {_SILENCE:g} s", cell.cell)

    async def finish(self) -> None:
        """Collect outputs of tasks and threads since the last cell's end, and report missing messages of the whole run."""
        client: Any = self.kc
        answered = await self._has_listened(client.kernel_info())
        self._stream_buffer.flush()
        if not answered:
            return
        self._message_counter.note_reply()
        count = 0 if self._keeps_all else self._message_counter.missing()
        if count:
            last = next((owner for owner, _ in reversed(self._owners.values())), None)
            self._say_missing(f"{count} messages of the kernel did not arrive", last)

    async def _has_listened(self, request: str) -> bool:
        """Listen until a request is done; return whether it was: the kernel may be busy with a cell's leftover work, or gone."""
        client: Any = self.kc
        task = asyncio.ensure_future(self._listen(request))
        limit = time.monotonic() + _AFTER_ALL
        while not task.done() and time.monotonic() < limit and await client.is_alive():
            await asyncio.wait({task}, timeout=_LOOK)
        if not task.done():
            task.cancel()
            return False
        await task
        return True

    def _say_missing(self, what: str, cell: Any) -> None:
        text = f"[{what}: the output shown is incomplete]\n"
        self._forwarder.write(text)
        if cell is not None:
            cell.outputs.append(v4.new_output("stream", name="stderr", text=text))

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Listen until a cell has ended; outputs of earlier cells that arrive meanwhile go to those."""
        self._owners[parent_msg_id] = cell, cell_index
        await self._listen(parent_msg_id)
        self._message_counter.note_reply()
        self._complete.add(cell_index)

    async def _async_poll_for_reply(
        self,
        msg_id: str,
        cell: Any,  # noqa: ARG002 - nbclient's signature
        timeout: Any,  # noqa: ARG002, ASYNC109 - nbclient's signature; cells have no timeout of their own
        task_poll_output_msg: Any,
        task_poll_kernel_alive: Any,
    ) -> Any:
        """Wait for the reply that ends a cell, and for its last messages as long as they keep arriving."""
        reply = await self.async_wait_for_reply(msg_id)
        heard = -1
        while not task_poll_output_msg.done() and heard != self._heard:
            heard = self._heard
            await asyncio.wait({task_poll_output_msg}, timeout=_SILENCE)
        if task_poll_output_msg.done():
            await task_poll_output_msg
        task_poll_output_msg.cancel()
        task_poll_kernel_alive.cancel()
        return reply

    async def _listen(self, request: str) -> None:
        """Process messages until a request is done."""
        client: Any = self.kc
        while True:
            message = await client.iopub_channel.get_msg(timeout=None)
            self._heard += 1
            parent = message["parent_header"].get("msg_id")
            if self._message_counter.begun or parent in self._owners:  # messages before the first cell have their own replies
                self._message_counter.note(message)
                self._pacing.note(self._message_counter.newest)
            if parent in self._owners:
                self._take(message, *self._owners[parent])
            if parent == request and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return

    def _take(self, message: dict[str, Any], cell: Any, place: int) -> None:
        before, self._current = self._current, place
        try:
            self.process_message(message, cell, place)
        except CellExecutionComplete:
            pass
        finally:
            self._current = before

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Forward a message, and record it in the notebook."""
        if received_values.take(msg):
            return None
        self._forwarder.forward(
            msg, errors="raises-exception" in cell.metadata.get("tags", []), late=cell_index in self._complete
        )
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            if msg["msg_type"] in _SHOWS and self._bounds.add(msg["content"]):
                self._keep_within_bounds()
            if self._output.is_due():
                self._stream_buffer.flush()
                self._output.write_if_due()

    def _keep_within_bounds(self) -> None:
        """Shorten the cells' outputs, and update the positions of displays with an id."""
        self._stream_buffer.flush()
        moved = self._bounds.shorten({place: cell.outputs for cell, place in self._owners.values()})
        for by_cell in self._display_id_map.values():
            for place in by_cell.keys() & moved.keys():
                by_cell[place] = [moved[place][number] for number in by_cell[place] if number in moved[place]]

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """Record an output; text that follows text of the same stream is appended to it."""
        last = outs[-1] if outs and not self.clear_before_next_output else None
        content = msg["content"]
        if (
            msg["msg_type"] == "stream"
            and last is not None
            and not self._bounds.is_note(last)
            and (last["output_type"], last.get("name")) == ("stream", content["name"])
            and not self.output_hook_stack[msg["parent_header"].get("msg_id")]
        ):
            self._stream_buffer.add(last, content["text"])
            return last
        self._stream_buffer.flush()
        return super().output(outs, msg, display_id, cell_index)

    def handle_comm_msg(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        """Record a widget; for a figure that only a page can draw, print a note, since it is not saved."""
        if msg["msg_type"] == "comm_open" and msg["content"].get("target_name") == "matplotlib":
            self._forwarder.write(
                "[A figure of matplotlib's nbAgg backend (%matplotlib notebook) needs an open page and is not saved: "
                "use %matplotlib inline in notebooks that run as jobs.]\n"
            )
            return
        super().handle_comm_msg(outs, msg, cell_index)
