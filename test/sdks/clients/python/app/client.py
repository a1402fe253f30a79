"""Asks for tokens with each credential that Azure's SDKs for Python have, as an application would, and prints a JSON
line for every attempt. It fails if one of them got no token.

    client.py [workload-identity | default | vault | storage]

Without an argument the credentials ask IMDS. With the name of credentials, only those are used, for a pod that the
variables of azure-workload-identity send to Entra ID. With "vault", the SDKs for Key Vault use the vault at
KEY_VAULT_URL, and with "storage" the one for blobs uses the account at BLOB_URL."""

import subprocess
import sys

from attempt import try_all
from credentials import CREDENTIALS, MODES
from storage import use_storage
from vault import use_vault

# What else is done, by the argument that chooses it.
USES = {"vault": use_vault, "storage": use_storage}


def main() -> int:
    """Asks with the first credential at once, to see how soon a new container has a token, and has a process of its
    own ask with each other one, so that none finds what another one cached."""
    if len(sys.argv) > 1:
        argument = sys.argv[1]
        if argument in USES:
            return 0 if USES[argument]() else 1
        chosen = MODES[argument] if argument in MODES else (CREDENTIALS[int(argument)],)
        return 0 if all([try_all(credential) for credential in chosen]) else 1
    every_one = try_all(CREDENTIALS[0])
    for index in range(1, len(CREDENTIALS)):
        again = [sys.executable, *sys.orig_argv[1 : -len(sys.argv)], sys.argv[0], str(index)]
        every_one = subprocess.run(again).returncode == 0 and every_one
    return 0 if every_one else 1


if __name__ == "__main__":
    sys.exit(main())
