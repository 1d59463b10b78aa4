"""The stores of a bench: a program, so that their processes can be watched and outlive the
servers that the bench kills. Says their URLs, and ends them when its standard input ends.

usage: python -m bench.stores DATA_DIR
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from state.embedded import EmbeddedDocuments, EmbeddedValkey


async def main(data_dir: Path) -> None:
    """Run both until nobody wants them any more."""
    async with EmbeddedValkey(data_dir) as valkey, EmbeddedDocuments(data_dir) as documents:
        print(f"listening on {valkey.url} {documents.url}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
