"""The Azure MCP Server, run for one command."""

import json
import os
import subprocess


def run(*command: str, **environment: str) -> dict:
    """Gives the server's answer. If it ended without one, the message says why."""
    done = subprocess.run(
        ["/app/azmcp", *command, "--retry-max-retries", "0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    # Its log is on the same stream, before the answer.
    answer = done.stdout[done.stdout.rfind("\n{\n") + 1 :]
    try:
        return json.loads(answer)
    except json.JSONDecodeError:  # it says why in another place
        return {"message": f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()}"}


def version() -> str:
    with open("/app/version", encoding="utf-8") as file:
        return file.read().strip()
