"""What is asked of a credential, and what is printed of it."""

import importlib.metadata
import json
import os
import time

# Where the environment has what a selector selects.
VARIABLE = {"client_id": "CLIENT_ID", "object_id": "OBJECT_ID", "resource_id": "RESOURCE_ID"}


def try_all(credential) -> bool:
    """Asks for the default identity's tokens for every resource, and for the other identity's, in each way that the
    credential can name it, for the first resource. Tells whether all of them came."""
    resources = os.environ["RESOURCES"].split(",")
    every_one = True
    for selector in credential.selectors:
        ask = credential.new(selector, os.environ.get(VARIABLE.get(selector, ""), ""))
        for resource in resources if selector == "default" else resources[:1]:
            every_one = attempt(credential, selector, resource, ask) and every_one
    return every_one


def attempt(credential, selector, resource, ask) -> bool:
    start = time.monotonic()
    line = {
        "client": credential.client,
        "version": importlib.metadata.version(credential.package),
        "credential": credential.name,
        "selector": selector,
        "resource": resource,
    }
    try:
        line["token"] = ask(resource)
    except Exception as error:  # whatever an SDK raises is what its user sees
        line["error"] = str(error)
    line["milliseconds"] = round((time.monotonic() - start) * 1000, 3)
    line["at"] = int(time.time() * 1000)
    print(json.dumps(line), flush=True)
    return "error" not in line
