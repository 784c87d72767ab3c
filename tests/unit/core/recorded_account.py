"""A blob account that remembers every result there has been."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.unit.core.fake_blobs import Account


@dataclass
class RecordedAccount(Account):
    """``commits`` has ETag and content of each result that was ever visible, by the name of its blob."""

    commits: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def write(self, blob: str, data: bytes, metadata: dict[str, str] | None = None, appends: int = 0) -> str:
        etag = super().write(blob, data, metadata, appends)
        if blob.endswith("/result.json"):
            self.commits.setdefault(blob, []).append((etag, data))
        return etag
