"""Notebooks and cells as jobs: `ipybgjobs.Notebook` and `ipybgjobs.Cell`, and what they need.

It uses neither the store nor the client, and only the package's public interface imports it. A worker loads it only for a job
that is a notebook or a cell.

Modules
-------
cell
    `Cell`: a cell as a job.
destination
    Where a notebook's output goes.
document
    A notebook as a document.
execution
    Running the cells in their own kernel, with nbclient.
format_library
    The import of nbformat.
forwarding
    Forwarding what the cells show to the job's log and outputs.
growing_stream
    A stream output to which text is added without copying.
injection
    Parameters in a notebook, by papermill's convention.
job
    `Notebook`: a notebook as a job.
kernel_pacing
    The kernel's side of pacing: it drops no message and does not run ahead.
kernel_recording
    The kernel's side of recording values.
kernels
    Which kernel a notebook is for.
listening
    An nbclient client that behaves like a page.
message_counter
    Whether all messages that a kernel has sent have arrived.
output_file
    The output notebook while it runs.
output_limits
    Keeping the outputs of cells within a limit.
pacing
    The worker's side of pacing.
received_values
    Values that a notebook's code records, as values of the job.
resuming
    The cells of an earlier output that are still valid.
serialization
    A notebook as the text of its file.
signature
    What a notebook takes: the cell tagged ``parameters``.
transport
    How a kernel is reached.
"""
