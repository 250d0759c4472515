"""The checks' own house: where things are, what is counted, and how a program is asked."""

import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import expected

ROOT = Path(__file__).resolve().parents[4]
ROSTER = json.loads((Path(__file__).parent / "roster.json").read_text())
ROLES = list(ROSTER["roles"]) + ["edge"]
PORTS = {role: seat["port"] for role, seat in ROSTER["roles"].items()} | {"edge": ROSTER["edge"]["port"]}
ADMIN = ROSTER["admin_port"]
DECLARED = set(re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

passed = failed = 0


class Wrong(Exception):
    """What does not hold."""


def check(name, test, *given):
    """Counts a test, which is a function that raises what does not hold."""
    global passed, failed
    try:
        test(*given)
    except (Wrong, KeyError, IndexError, StopIteration, subprocess.CalledProcessError) as error:
        failed += 1
        why = getattr(error, "stderr", None) or repr(error)
        print(f"FAILED  {name}: {why}")
    else:
        passed += 1
        print(f"ok      {name}")


def same(found, wanted, what):
    if found != wanted:
        raise Wrong(f"{what}: found {found!r}, wanted {wanted!r}")


def holds(condition, what):
    if not condition:
        raise Wrong(what)


def ask(program, *arguments, variables=None, **more):
    """What a program says; one that does not end well is a failed check."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=variables, timeout=120, **more)
    done.check_returncode()
    return done.stdout


def environment(text):
    """The variables of a file in the manner of .env."""
    lines = (line.partition("=") for line in text.splitlines() if re.match(r"[A-Za-z_]", line))
    return {name: value for name, _, value in lines}


def host_and_port(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


def calls_whom_it_needs():
    """That what is expected of the network lets a role meet whom it waits for at its start."""
    for role, seat in {**ROSTER["roles"], "edge": ROSTER["edge"]}.items():
        same(set(seat["needs"]) - {role} - expected.CALLS[role], set(), f"whom {role} needs and may not call")
        same("s3" in expected.ENGINES[role], seat.get("objects", False), f"whether {role} keeps objects")


def is_told(role, variables, scheme="http"):
    """That a role is told of all roles and of its engines where they are, and nothing that nobody reads."""
    unknown = {name for name in variables if name.startswith(("ATELIER_", "OTEL_"))} - DECLARED
    same(unknown, set(), "variables that .env.example does not have")
    same(variables.get("ATELIER_PROFILE"), "production", "ATELIER_PROFILE")
    for other, seat in ROSTER["roles"].items():
        same(variables.get(seat["url"]), f"{scheme}://{other}:{seat['port']}", f"where {other} is")
    needed = set().union(*(expected.VARIABLES[engine] for engine in expected.ENGINES[role]))
    same(needed - set(variables), set(), "variables of engines that are not set")
    for name, engine in expected.ADDRESSES.items():
        if name in variables:
            same(host_and_port(variables[name]), (engine, expected.PORTS[engine]), name)
    foreign = (set().union(*expected.VARIABLES.values()) - needed) & set(variables)
    same(foreign, set(), "variables of engines that it does not need")


def ends_in_time(variables, seconds):
    """That who ends a process waits for it."""
    own = int(variables["ATELIER_LAME_DUCK_SECONDS"]) + int(variables["ATELIER_DRAIN_SECONDS"])
    holds(seconds > own + expected.LAST_SECONDS, f"{seconds} s are not enough for {own} s and the last ones")


def is_taken(role, variables):
    """That the program takes these variables: it gets as far as the data folder, which cannot be."""
    given = variables | {"ATELIER_DATA": "/dev/null/atelier", "PATH": os.environ["PATH"]}
    done = subprocess.run([os.environ["ATELIER_BIN"], role], capture_output=True, text=True, env=given, timeout=60)
    holds("the data folder /dev/null/atelier" in done.stderr, f"{role} ended with {done.returncode}: {done.stderr.strip()}")


def is_refused(role, variables):
    """That the check above can fail."""
    try:
        is_taken(role, variables | {"ATELIER_TYPO": "1"})
    except Wrong as error:
        holds("ATELIER_TYPO" in str(error), str(error))
    else:
        raise Wrong("a variable that nobody reads was taken")
