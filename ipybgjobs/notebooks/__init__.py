"""Notebooks and cells as jobs: `ipybgjobs.Notebook` and `ipybgjobs.Cell`, and what they need.

It knows neither store nor client, and only the package's public interface imports it. A worker loads it only for a job that is a
notebook or a cell.

Modules
-------
arrivals
    Whether all that a kernel has sent has come.
cell
    `Cell`: a cell as a job.
destination
    Where a notebook's output goes.
document
    A notebook as a document.
execution
    Runs the cells in a kernel of its own, by nbclient.
forwarding
    What the cells show, sent on to the job's log and outputs.
growing_stream
    A stream output that grows without copying.
injection
    Parameters in a notebook, by papermill's convention.
job
    `Notebook`: a notebook as a job.
kernel_pacing
    The kernel's side of pacing: it drops no message and does not run ahead.
kernels
    Which kernel a notebook is for.
listening
    Nbclient's client, as a page would be.
output_file
    The output notebook while it runs.
output_limits
    What cells show, within a limit.
pacing
    The worker's side of pacing.
resuming
    What of an earlier output still holds.
serialization
    A notebook as the text of its file.
signature
    What a notebook takes: the cell tagged ``parameters``.
transport
    How a kernel is reached.
"""
