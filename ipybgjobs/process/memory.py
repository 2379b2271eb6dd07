"""What the kernel counts of memory that ran out. Linux: ``/proc/vmstat``; elsewhere nobody counts, and nothing is said."""


def kills() -> int | None:
    """Return how many processes the kernel has killed for want of memory since it booted; None where it doesn't say."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except OSError:
        return None
