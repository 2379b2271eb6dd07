"""The commented sample that `jupyter bgjobs config init` writes and ``config/`` holds; made from the traits themselves."""

from . import traits

_HEAD = """\
# Configuration of ipybgjobs. Everything here is commented out; what is shown is the default.
# It is looked for as ipybgjobs_config.py or .json on the Jupyter configuration path (`jupyter --paths`), lowest rank first:
# system, environment, user; then in the IPython profile's own files; then in the file that IPYBGJOBS_CONFIG names.
# `jupyter bgjobs config show` tells which files count, `jupyter bgjobs config check` whether they are sound.

c = get_config()  #noqa

# What may run. Nothing does until it stands here:
#
# c.BackgroundJobs.allowed_jobs = {
#     "training.Trainer": ["fit", "evaluate"],
#     "training": ["prepare"],                 # functions of a module
#     "app.jobs.SampleJob": {
#         "allowed_methods": ["process"],
#         "max_attempts": 5,                   # and whatever else RetryPolicy has
#         "timeout": "2h",
#         "queue": "gpu",
#         "from": "/opt/shared",               # a class found anywhere else under that name is refused
#     },
# }
# c.BackgroundJobs.queues = {"default": 2, "gpu": 1}

"""


def text() -> str:
    """Return the sample."""
    sections = [cls.class_config_section() for cls in traits.CLASSES]
    return _HEAD + "\n".join(section.rstrip() + "\n" for section in sections)
