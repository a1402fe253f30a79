"""Has the Azure MCP Server, which is a .NET program with Azure.Identity in it, list the subscriptions that the pod's managed
identities see. Prints a JSON line for every attempt, with the token that was shown to Azure Resource Manager. It fails if one
of them showed none.

There is no Azure here, so the name of its resource manager leads to another one: see resource_manager.py.

With the argument "vault", the server uses the vault at KEY_VAULT_URL."""

import json
import os
import sys
import time

import azmcp
from resource_manager import NAME, ResourceManager
from vault import use_vault

# What chooses the credential, and the identity: Azure.Identity reads both from the environment.
ATTEMPTS = (
    ("ManagedIdentityCredential", "default", {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}),
    ("DefaultAzureCredential", "default", {"AZURE_TOKEN_CREDENTIALS": "prod"}),
    (
        "ManagedIdentityCredential",
        "client_id",
        {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "AZURE_CLIENT_ID": os.environ.get("CLIENT_ID", "")},
    ),
)


def main() -> int:
    if sys.argv[1:] == ["vault"]:
        return 0 if use_vault() else 1
    every_one = True
    with ResourceManager() as manager:
        os.environ["SSL_CERT_FILE"] = manager.certificate
        for credential, selector, environment in ATTEMPTS:
            start = time.monotonic()
            message = azmcp.run("subscription", "list", **environment)["message"]
            token = manager.take_token()
            line = {
                "client": "csharp azmcp",
                "version": azmcp.version(),
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


if __name__ == "__main__":
    sys.exit(main())
