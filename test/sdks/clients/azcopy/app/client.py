"""Has AzCopy copy a folder to the storage account at BLOB_URL and back, as the pod's managed identity. Prints a JSON line for every
operation. It fails if one of them failed."""

import filecmp
import json
import os
import pathlib
import subprocess
import sys
import time

URL = os.environ["BLOB_URL"]
CONTAINER = URL.rstrip("/") + "/invoices"

# The files, with their sizes: a file that is larger than a block, of 8 MiB, is sent in blocks.
FILES = {"one": 5, "2026/archive": 9 << 20, "2026/empty": 0}


def main() -> int:
    """Ends with the first operation that failed, as those after it need it."""
    there, back = pathlib.Path("/tmp/there"), pathlib.Path("/tmp/back")
    for name, size in FILES.items():
        file = there / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    back.mkdir()
    try:
        operate("container make", lambda: azcopy("make", CONTAINER))
        operate("folder up", lambda: azcopy("copy", f"{there}/*", CONTAINER, "--recursive"))
        operate("list", lambda: check_list(azcopy("list", CONTAINER, "--output-type", "text")))
        operate("folder down", lambda: azcopy("copy", f"{CONTAINER}/*", str(back), "--recursive"))
        operate("compare", lambda: compare(there, back))
        operate("remove", lambda: azcopy("remove", CONTAINER, "--recursive"))
    except Exception as error:  # operate has printed it
        print(f"client: {error}", file=sys.stderr)
        return 1
    return 0


def operate(operation: str, done) -> None:
    """Does an operation and prints what came of it."""
    start = time.monotonic()
    line = {"client": "azcopy", "version": version(), "operation": operation}
    try:
        done()
    except Exception as error:
        line["error"] = str(error)
        raise
    finally:
        line["milliseconds"] = round((time.monotonic() - start) * 1000, 3)
        print(json.dumps(line), flush=True)


def azcopy(*arguments: str) -> str:
    """Runs AzCopy and gives what it prints."""
    done = subprocess.run(
        ["/app/azcopy", *arguments],
        env={**os.environ, "AZCOPY_AUTO_LOGIN_TYPE": "MSI"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"azcopy {arguments[0]}: exit code {done.returncode}: {(done.stderr + done.stdout).strip()}")
    return done.stdout


def check_list(printed: str) -> None:
    missing = [name for name in FILES if name + ";" not in printed]
    if missing:
        raise AssertionError(f"the list lacks {missing}: {printed}")


def compare(there: pathlib.Path, back: pathlib.Path) -> None:
    _, mismatches, errors = filecmp.cmpfiles(there, back, FILES, shallow=False)
    if mismatches or errors:
        raise AssertionError(f"other content: {mismatches}, missing: {errors}")


def version() -> str:
    with open("/app/version", encoding="utf-8") as file:
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main())
