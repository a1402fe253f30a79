"""Has the Azure MCP Server, which is a .NET program with Azure.Identity in it, get a token and call Azure with it. Prints a
JSON line for every attempt.

The call fails where there is no Azure, after the token was got: what the server asked IMDS for is seen at IMDS alone. So
no line has a token, and the error is the server's own."""

import json
import os
import subprocess
import time

# What chooses the credential, and the identity: Azure.Identity reads both from the environment.
ATTEMPTS = (
    ("ManagedIdentityCredential", "default", {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}),
    ("DefaultAzureCredential", "default", {"AZURE_TOKEN_CREDENTIALS": "prod"}),
    (
        "ManagedIdentityCredential",
        "client_id",
        {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "AZURE_CLIENT_ID": os.environ["CLIENT_ID"]},
    ),
)


def main() -> None:
    with open("/app/version", encoding="utf-8") as file:
        version = file.read().strip()
    for credential, selector, environment in ATTEMPTS:
        start = time.monotonic()
        message = list_subscriptions(environment)
        line = {
            "client": "csharp azmcp",
            "version": version,
            "credential": credential,
            "selector": selector,
            "resource": "https://management.azure.com/",
            "error": message,
            "milliseconds": round((time.monotonic() - start) * 1000, 3),
            "at": int(time.time() * 1000),
        }
        print(json.dumps(line), flush=True)


def list_subscriptions(environment: dict[str, str]) -> str:
    """Runs the server for one command, and gives what it says went wrong."""
    command = ["/app/azmcp", "subscription", "list", "--retry-max-retries", "0"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    # Its log is on the same stream, before the answer.
    answer = done.stdout[done.stdout.rfind("\n{\n") + 1 :]
    try:
        return json.loads(answer)["message"]
    except json.JSONDecodeError:  # it ended without an answer, and says why in another place
        return f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()}"


if __name__ == "__main__":
    main()
