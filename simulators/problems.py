"""What went wrong, for people."""


def problems_of(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """The texts of a group's exceptions, however deep they are."""
    found: list[str] = []
    for problem in group.exceptions:
        found += problems_of(problem) if isinstance(problem, BaseExceptionGroup) else [str(problem)]
    return found
