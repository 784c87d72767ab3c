"""Uploads files to a container of the stack that the settings name: upload.py CONTAINER FILE…"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from azure.storage.blob import BlobServiceClient

container, *files = sys.argv[1:]
with BlobServiceClient.from_connection_string(os.environ["JSWORKER_STORAGE_CONNECTION_STRING"]) as service:
    for file in map(Path, files):
        service.get_blob_client(container, file.name).upload_blob(file.read_bytes(), overwrite=True)
