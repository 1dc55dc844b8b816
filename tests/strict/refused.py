"""What a validator raises."""


class Refused(AssertionError):
    """A provider would answer these messages with an error: the rule that is broken, with its place."""


def demand(kept: object, rule: str) -> None:
    """Raises `Refused` with the rule unless it is kept."""
    if not kept:
        raise Refused(rule)
