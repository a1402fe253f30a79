"""Has the Azure MCP Server, which is a .NET program with Azure.Identity in it, list the subscriptions that the pod's managed
identities see. Prints a JSON line for every attempt, with the token that was shown to Azure Resource Manager. It fails if one
of them showed none.

There is no Azure here, so the name of its resource manager leads to another one: see resource_manager.py."""

import json
import os
import subprocess
import sys
import time

from resource_manager import NAME, ResourceManager

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


def main() -> int:
    with open("/app/version", encoding="utf-8") as file:
        version = file.read().strip()
    every_one = True
    with ResourceManager() as manager:
        os.environ["SSL_CERT_FILE"] = manager.certificate
        for credential, selector, environment in ATTEMPTS:
            start = time.monotonic()
            message = list_subscriptions(environment)
            token = manager.take_token()
            line = {
                "client": "csharp azmcp",
                "version": version,
                "credential": credential,
                "selector": selector,
                "resource": f"https://{NAME}/",
                "token" if token else "error": token or message,
                "milliseconds": round((time.monotonic() - start) * 1000, 3),
                "at": int(time.time() * 1000),
            }
            print(json.dumps(line), flush=True)
            every_one = bool(token) and every_one
    return 0 if every_one else 1


def list_subscriptions(environment: dict[str, str]) -> str:
    """Runs the server for one command, and gives what it says of it."""
    command = ["/app/azmcp", "subscription", "list", "--retry-max-retries", "0"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    # Its log is on the same stream, before the answer.
    answer = done.stdout[done.stdout.rfind("\n{\n") + 1 :]
    try:
        return json.loads(answer)["message"]
    except json.JSONDecodeError:  # it ended without an answer, and says why in another place
        return f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()}"


if __name__ == "__main__":
    sys.exit(main())
