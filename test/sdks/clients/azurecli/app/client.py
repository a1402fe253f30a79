"""Logs the Azure CLI in with the pod's managed identities, asks it for tokens, and prints a JSON line for every attempt.
It fails if one of them got no token.

After it has its token, "az login" lists the subscriptions that the identity sees, at Azure Resource Manager. There is
none here, so the CLI is told of another one, which has no subscriptions: see resource_manager.py."""

import json
import os
import pathlib
import subprocess
import sys
import time

from resource_manager import ResourceManager

# How "az login --identity" is told which identity is meant, and where the environment has its ID.
SELECTORS = {
    "default": [],
    "client_id": ["--client-id", os.environ["CLIENT_ID"]],
    "object_id": ["--object-id", os.environ["OBJECT_ID"]],
    "resource_id": ["--resource-id", os.environ["RESOURCE_ID"]],
}


def main() -> int:
    resources = os.environ["RESOURCES"].split(",")
    os.environ["AZURE_CORE_COLLECT_TELEMETRY"] = "no"
    with ResourceManager() as manager:
        os.environ["REQUESTS_CA_BUNDLE"] = manager.certificate
        use(manager.url)
        every_one = True
        for selector, identity in SELECTORS.items():
            for resource in resources if selector == "default" else resources[:1]:
                every_one = attempt(selector, identity, resource) and every_one
    return 0 if every_one else 1


def use(resource_manager: str) -> None:
    """Has the cloud that is the CLI's default use a resource manager. "az cloud update" writes the same, once it has
    asked the resource manager about everything else in that cloud."""
    folder = pathlib.Path.home() / ".azure"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clouds.config").write_text(f"[AzureCloud]\nendpoint_resource_manager = {resource_manager}\n")


def attempt(selector: str, identity: list[str], resource: str) -> bool:
    start = time.monotonic()
    line = {"client": "az", "version": version(), "credential": "az login --identity", "selector": selector, "resource": resource}
    try:
        az("login", "--identity", "--allow-no-subscriptions", *identity)
        line["token"] = json.loads(az("account", "get-access-token", "--resource", resource))["accessToken"]
    except subprocess.CalledProcessError as error:
        line["error"] = error.stderr.strip()
    line["milliseconds"] = round((time.monotonic() - start) * 1000, 3)
    line["at"] = int(time.time() * 1000)
    print(json.dumps(line), flush=True)
    return "error" not in line


def az(*arguments: str) -> str:
    """Runs the Azure CLI and gives what it prints."""
    command = [sys.executable, "-m", "azure.cli", *arguments, "--output", "json"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def version() -> str:
    import importlib.metadata

    return importlib.metadata.version("azure-cli")


if __name__ == "__main__":
    sys.exit(main())
