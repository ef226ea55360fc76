"""Read pip-audit's JSON on stdin; fail where a package has a known vulnerability.

What could not be looked up is counted and said: a machine that reaches no vulnerability service must
not pass for one that has none.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def verdict(text: str) -> tuple[int, list[str]]:
    """Exit code and lines for a person."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError):
        return 0, ["audit: pip-audit gave no answer, so nothing is known of any package."]
    unknown = [p["name"] for p in packages if "skip_reason" in p]
    found = [
        f"audit: {p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'none'}"
        for p in packages
        for v in p.get("vulns", [])
    ]
    asked = len(packages) - len(unknown)
    lines = [f"audit: {asked} of {len(packages)} packages looked up, {len(found)} vulnerabilities."]
    if unknown:
        lines.append(f"audit: not looked up, so not known: {', '.join(unknown)}.")
    return int(bool(found)), lines + found


if __name__ == "__main__":
    code, said = verdict(sys.stdin.read())
    print("\n".join(said))  # noqa: T201
    raise SystemExit(code)
