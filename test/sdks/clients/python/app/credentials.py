"""The credentials of Azure's SDKs for Python. Each is imported only when it is used, so that the first one does not
wait for the others."""

import asyncio
import dataclasses
import typing

EVERY_SELECTOR = ("default", "client_id", "object_id", "resource_id")

Ask = typing.Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Credential:
    client: str
    package: str
    name: str
    selectors: tuple[str, ...]
    new: typing.Callable[[str, str], Ask]


def managed_identity(selector: str, identifier: str) -> Ask:
    from azure.identity import ManagedIdentityCredential

    made = ManagedIdentityCredential(**selection(selector, identifier))
    return lambda resource: made.get_token(resource + "/.default").token


def default_azure(_selector: str, _identifier: str) -> Ask:
    from azure.identity import DefaultAzureCredential

    made = DefaultAzureCredential()
    return lambda resource: made.get_token(resource + "/.default").token


def workload_identity(_selector: str, _identifier: str) -> Ask:
    from azure.identity import WorkloadIdentityCredential

    made = WorkloadIdentityCredential()
    return lambda resource: made.get_token(resource + "/.default").token


def managed_identity_aio(selector: str, identifier: str) -> Ask:
    from azure.identity.aio import ManagedIdentityCredential

    return ask_aio(lambda: ManagedIdentityCredential(**selection(selector, identifier)))


def default_azure_aio(_selector: str, _identifier: str) -> Ask:
    from azure.identity.aio import DefaultAzureCredential

    return ask_aio(DefaultAzureCredential)


def workload_identity_aio(_selector: str, _identifier: str) -> Ask:
    from azure.identity.aio import WorkloadIdentityCredential

    return ask_aio(WorkloadIdentityCredential)


def ask_aio(new) -> Ask:
    """Asks in an event loop of its own, in which the credential must be made too."""

    async def get_token(resource: str) -> str:
        async with new() as credential:
            return (await credential.get_token(resource + "/.default")).token

    return lambda resource: asyncio.run(get_token(resource))


def selection(selector: str, identifier: str) -> dict:
    """The arguments by which both credentials of azure-identity name an identity."""
    if selector == "default":
        return {}
    if selector == "client_id":
        return {"client_id": identifier}
    return {"identity_config": {selector: identifier}}


def msal_client(selector: str, identifier: str) -> Ask:
    import msal
    import requests

    identity = {
        "default": lambda: msal.SystemAssignedManagedIdentity(),
        "client_id": lambda: msal.UserAssignedManagedIdentity(client_id=identifier),
        "object_id": lambda: msal.UserAssignedManagedIdentity(object_id=identifier),
        "resource_id": lambda: msal.UserAssignedManagedIdentity(resource_id=identifier),
    }[selector]()
    made = msal.ManagedIdentityClient(identity, http_client=requests.Session())

    def ask(resource: str) -> str:
        result = made.acquire_token_for_client(resource=resource)
        if "access_token" not in result:
            raise RuntimeError(str(result))
        return result["access_token"]

    return ask


SYNC, AIO = "python azure-identity", "python azure-identity aio"

DEFAULT_AZURE = Credential(SYNC, "azure-identity", "DefaultAzureCredential", ("default",), default_azure)
DEFAULT_AZURE_AIO = Credential(AIO, "azure-identity", "DefaultAzureCredential", ("default",), default_azure_aio)

# Those that ask IMDS.
CREDENTIALS = (
    Credential(SYNC, "azure-identity", "ManagedIdentityCredential", EVERY_SELECTOR, managed_identity),
    DEFAULT_AZURE,
    Credential(AIO, "azure-identity", "ManagedIdentityCredential", EVERY_SELECTOR, managed_identity_aio),
    DEFAULT_AZURE_AIO,
    Credential("msal-python", "msal", "ManagedIdentityClient", EVERY_SELECTOR, msal_client),
)

# Those that ask Entra ID if the environment says so, by the argument that chooses them.
MODES = {
    "workload-identity": (
        Credential(SYNC, "azure-identity", "WorkloadIdentityCredential", ("default",), workload_identity),
        Credential(AIO, "azure-identity", "WorkloadIdentityCredential", ("default",), workload_identity_aio),
    ),
    "default": (DEFAULT_AZURE, DEFAULT_AZURE_AIO),
}
