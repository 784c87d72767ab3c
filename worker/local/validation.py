"""What is wrong with a file that a local service was given, in one line."""

from pydantic import ValidationError


def explain(error: ValidationError) -> str:
    """Say what is wrong where."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'file'}: {problem['msg']}" for problem in error.errors()
    )
