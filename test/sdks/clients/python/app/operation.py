"""What is done with a library, and what is printed of it."""

import importlib.metadata
import json
import sys
import time
import typing


def use_each(uses, url, credential) -> bool:
    """Uses libraries one after the other, and tells whether all operations succeeded."""
    every_one = True
    for use in uses:
        try:
            use(url, credential)
        except Exception as error:  # operate has printed it, or it is of this program
            print(f"client: {use.__name__}: {error}", file=sys.stderr)
            every_one = False
    return every_one


def operate(package: str, operation: str, done: typing.Callable[[], typing.Any]) -> typing.Any:
    """Does an operation, prints what came of it, and gives its result."""
    start = time.monotonic()
    line = {"client": "python " + package, "version": importlib.metadata.version(package), "operation": operation}
    try:
        return done()
    except Exception as error:  # whatever an SDK raises is what its user sees
        line["error"] = str(error) or repr(error)
        raise
    finally:
        line["milliseconds"] = round((time.monotonic() - start) * 1000, 3)
        print(json.dumps(line), flush=True)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)
