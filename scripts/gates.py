"""The security gates: `make gates`. Each tool must also find a planted fault, or it proves nothing.

Run with the gates' own Python, whose folder holds the tools. Exit status 1 when a gate fails.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_TOOLS = Path(sys.executable).parent
_CODE = ("app.py", "core", "shopify_app", "rms_bridge", "oms_bridge", "migrations", "scripts")
_SEMGREP = ("scan", "--metrics=off", "--disable-version-check")
_RULES = ".semgrep/house.yaml"
# of tests and stand-ins every secret is made up; the rest was looked at one by one
_UNSCANNED = r"^(tests|simulators|bench|\.semgrep)/"
_KNOWN = Path(".ci/known-secrets.json")
_BANDIT_SKIPS = "B608,B704"  # judged line by line, with a written reason, as ruff's S608 and S704
_CANARY = "jinja2==2.4.1"  # has known vulnerabilities since 2014


class Skipped(Exception):
    """A gate that cannot be run here; the words say why."""


def run_tool(*words: str, folder: Path = _ROOT) -> tuple[int, str]:
    """Run one tool; returns its status and everything it said."""
    # the rest of the environment stays: it may name the certificates and the index of this place
    changed = (f"PATH={_TOOLS}:/usr/bin:/bin", f"HOME={tempfile.gettempdir()}", "SEMGREP_SEND_METRICS=off")
    command = ["/usr/bin/env", *changed, str(_TOOLS / words[0]), *words[1:]]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def check_bandit() -> str:
    """No finding of medium severity or worse; a planted one is found."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "planted.py").write_text("import subprocess\nsubprocess.call(input(), shell=True)\n")
        if run_tool("bandit", "-q", "-ll", "-r", folder)[0] == 0:
            raise SystemExit("bandit does not find a planted shell call")
    status, said = run_tool("bandit", "-q", "-ll", "-s", _BANDIT_SKIPS, "-r", *_CODE)
    return said if status else ""


def check_semgrep() -> str:
    """Our own rules find their planted faults, and nothing in the product."""
    status, said = run_tool("semgrep", *_SEMGREP, "--test", "--config", _RULES, ".semgrep/house.py")
    if status or "All tests passed" not in said:
        return said
    status, said = run_tool("semgrep", *_SEMGREP, "--quiet", "--error", "--config", _RULES, *_CODE)
    return said if status else ""


def check_secrets() -> str:
    """No file holds what looks like a secret, but for those that were looked at; a planted one is found."""
    if not _scan(_plant_secret()):
        raise SystemExit("detect-secrets does not find a planted key")
    known = {tuple(one) for one in json.loads((_ROOT / _KNOWN).read_text())}
    found = _scan(_ROOT)
    return "\n".join(f"{file}: {kind}" for file, kind in sorted(found - known))


def _plant_secret() -> Path:
    folder = Path(tempfile.mkdtemp())
    (folder / "planted.py").write_text('aws = "' + "AKIA" + "IOSFODNN7" + 'ABCDEFG"\n')
    return folder


def _scan(folder: Path) -> set[tuple[str, str]]:
    every = () if (folder / ".git").exists() else ("--all-files",)
    status, said = run_tool("detect-secrets", "scan", *every, "--exclude-files", _UNSCANNED, folder=folder)
    if status:
        raise SystemExit(said)
    results = json.loads(said[said.index("{") : said.rindex("}") + 1])["results"]
    return {(file, one["type"]) for file, many in results.items() for one in many}


def check_dependencies() -> str:
    """No requirement has a known vulnerability; an old release that has many is flagged, or nothing is proved."""
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder, "requirements.txt")
        old.write_text(_CANARY + "\n")
        status, said = run_tool("pip-audit", "--strict", "--no-deps", "--disable-pip", "-r", str(old))
    if not is_flagged(status, said):
        raise Skipped(f"no advisory service answers here, {_CANARY} was not flagged: {said.strip().splitlines()[-1:]}")
    status, said = run_tool("pip-audit", "--strict", "-r", "requirements.txt")
    return said if status else ""


def is_flagged(status: int, said: str) -> bool:
    """True when pip-audit says that it found something; not when it says why it could not look."""
    return status != 0 and re.search(r"^Found [1-9]\d* known vulnerabilit", said, re.MULTILINE) is not None


GATES: dict[str, Callable[[], str]] = {
    "bandit": check_bandit,
    "semgrep": check_semgrep,
    "secrets": check_secrets,
    "dependencies": check_dependencies,
}


def main() -> int:
    """Run every gate, then say how each ended."""
    failed, skipped = 0, []
    for name, gate in GATES.items():
        try:
            said = gate()
        except Skipped as why:
            print(f"gate {name}: SKIPPED, {why}")
            skipped.append(name)
            continue
        failed += bool(said)
        print(f"gate {name}: {'FAILED' if said else 'passed'}")
        if said:
            print(said)
    if skipped:
        print(f"{'!' * 100}\n!! SKIPPED, AND NOTHING IS PROVED BY IT: {', '.join(skipped)}\n{'!' * 100}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
