"""What an application does with blobs, by Azure's SDK for Python at its defaults."""

import functools
import os

from operation import check, operate, use_each

BLOB = "azure-storage-blob"

# The container, and its blobs: one that is sent at once, and one that is sent in blocks.
CONTAINER, SMALL, BIG = "invoices", "one", "archive"


def use_storage() -> bool:
    """Uses the account at BLOB_URL, and tells whether all operations succeeded."""
    from azure.identity import DefaultAzureCredential

    return use_each((use_blobs,), os.environ["BLOB_URL"], DefaultAzureCredential())


def use_blobs(url, credential) -> None:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob import BlobServiceClient

    # By default a blob is sent at once up to 64 MiB, and had at once up to 32 MiB.
    limits = {"max_single_put_size": 4 << 20, "max_single_get_size": 4 << 20}
    container = BlobServiceClient(url, credential, **limits).get_container_client(CONTAINER)
    blobs = {SMALL: b"hello", BIG: os.urandom(9 << 20)}

    def blocks():
        committed, _ = container.get_blob_client(BIG).get_block_list()
        check(len(committed) > 1, f"the blob has the blocks {committed}")

    def download():
        for name, content in blobs.items():
            check(container.download_blob(name).readall() == content, name + " has another content")

    def list_all():
        # A page for each blob, so that the list goes on.
        names = [one.name for one in container.list_blobs(results_per_page=1)]
        check(names == [BIG, SMALL], f"the list has {names}")

    def properties():
        size = container.get_blob_client(BIG).get_blob_properties().size
        check(size == len(blobs[BIG]), f"the blob has {size} bytes")

    def delete():
        container.delete_blob(SMALL)
        try:
            container.download_blob(SMALL)
        except ResourceNotFoundError as error:
            check(error.error_code == "BlobNotFound", f"got {error.error_code}")
            return
        raise AssertionError("the deleted blob is there")

    for operation, done in (
        ("container create", container.create_container),
        ("blob upload", functools.partial(container.upload_blob, SMALL, blobs[SMALL])),
        ("blob upload in blocks", functools.partial(container.upload_blob, BIG, blobs[BIG])),
        ("blob blocks", blocks),
        ("blob download", download),
        ("blob list", list_all),
        ("blob properties", properties),
        ("blob delete", delete),
        ("container delete", container.delete_container),
    ):
        operate(BLOB, operation, done)
