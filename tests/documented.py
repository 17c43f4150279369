"""The records of the tool, as docs/records.md lists them."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")
FIELDS: dict[str, dict[str, str]] = {  # by event, then by field
    event: dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", rows, re.MULTILINE))
    for event, rows in re.findall(r"^## `(.+?)`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
