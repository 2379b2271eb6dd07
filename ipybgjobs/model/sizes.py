"""Format sizes in bytes for people; measures nothing."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def show(count: int) -> str:
    """Format bytes: ``812 B``, ``4.2 kB``, ``37 MB``."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:  # noqa: PLR2004 - three digits
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"  # noqa: PLR2004 - two digits are enough
