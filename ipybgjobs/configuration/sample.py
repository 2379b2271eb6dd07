"""The commented sample that `jupyter bgjobs config init` writes and ``config/`` contains; generated from the traits."""

from . import traits

_HEAD = """\
# Configuration of ipybgjobs. Every setting here is commented out and shows its default.
# ipybgjobs reads ipybgjobs_config.py or .json on the Jupyter configuration path (`jupyter --paths`), lowest rank first:
# system, environment, user; then the IPython profile's own files; then the file that IPYBGJOBS_CONFIG names.
# `jupyter bgjobs config show` lists the files that are read; `jupyter bgjobs config check` checks them for errors.

c = get_config()  #noqa

# What may run. Nothing may until it is listed here:
#
# c.BackgroundJobs.allowed_jobs = {
#     "training.Trainer": ["fit", "evaluate"],
#     "training": ["prepare"],                 # functions of a module
#     "app.jobs.SampleJob": {
#         "allowed_methods": ["process"],
#         "max_attempts": 5,                   # and any other setting of RetryPolicy
#         "timeout": "2h",
#         "queue": "gpu",
#         "from": "/opt/shared",               # a class of that name found anywhere else is refused
#     },
# }
# c.BackgroundJobs.queues = {"default": 2, "gpu": 1}

"""


def text() -> str:
    """Return the sample."""
    sections = [cls.class_config_section().rstrip() for cls in traits.CLASSES]
    lines = "\n\n".join(sections).split("\n")
    return _HEAD + "".join(f"{line.rstrip()}\n" for line in lines)
