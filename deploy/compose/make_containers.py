"""Makes the containers that are named in the blob store; those that are there already stay as they are."""

import os
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient


def main(names: list[str]) -> None:
    """Make the containers of these names."""
    with BlobServiceClient.from_connection_string(os.environ["JSWORKER_STORAGE_CONNECTION_STRING"]) as store:
        for name in names:
            try:
                store.create_container(name)
            except ResourceExistsError:
                continue


if __name__ == "__main__":
    main(sys.argv[1:])
