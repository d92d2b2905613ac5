"""Sessions over versions: `nox` tests the shipped models on the oldest and the newest supported torch.

`nox -- 2.12.0 2.13.0` takes other versions of torch.
"""

import nox

OLDEST, NEWEST = "2.11.0", "2.14.1"  # of the range in pyproject.toml


@nox.session(venv_backend="venv")
def torch(session: nox.Session) -> None:
    """Compares the numbers of the shipped models with the stored ones, and tests exports, reduced precision and compiled steps."""
    for version in session.posargs or (OLDEST, NEWEST):
        session.install("-e", ".[dev]", f"torch=={version}")
        tests = ("test_versions.py", "models/test_inputs.py", "models/test_steps.py", "evaluation/test_rounding.py")
        options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning")  # torch 2.11 raises one itself
        session.run("python", "-m", "pytest", *options, *(f"tests/{test}" for test in tests))
