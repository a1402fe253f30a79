"""What the Azure MCP Server can do with a vault, which it looks for at vault.azure.net."""

import json
import os
import sys
import time
import urllib.parse

import azmcp

# No operation asks for the subscription, but the server wants one to be named.
SUBSCRIPTION = "00000000-0000-4000-8000-000000000000"

OPERATIONS = (
    ("secret set", ("secret", "create", "--secret", "motto", "--value", "hello")),
    ("secret get", ("secret", "get", "--secret", "motto")),
    ("secret list", ("secret", "get")),
    ("key create EC", ("key", "create", "--key", "signs", "--key-type", "EC")),
    ("certificate create", ("certificate", "create", "--certificate", "site")),
    ("certificate get", ("certificate", "get", "--certificate", "site")),
)


def use_vault() -> bool:
    """Uses the vault at KEY_VAULT_URL, and tells whether all operations succeeded."""
    name = urllib.parse.urlsplit(os.environ["KEY_VAULT_URL"]).hostname.split(".")[0]
    every_one = True
    for operation, command in OPERATIONS:
        start = time.monotonic()
        answer = azmcp.run(
            "keyvault",
            *command,
            "--vault",
            name,
            "--subscription",
            SUBSCRIPTION,
            AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
        )
        line = {
            "client": "csharp azmcp",
            "version": azmcp.version(),
            "operation": operation,
            "milliseconds": round((time.monotonic() - start) * 1000, 3),
        }
        if answer.get("status") != 200 or operation == "secret get" and "hello" not in json.dumps(answer["results"]):
            line["error"] = answer["message"]
            print(answer, file=sys.stderr)
            every_one = False
        print(json.dumps(line), flush=True)
    return every_one
