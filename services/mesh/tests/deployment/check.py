"""Holds the image, the compose file and the Kubernetes files together: with their own tools and schemas, with the roster, and with
the program itself. No engine of containers is needed, and nothing is started.

    check.py FOLDER     builds into FOLDER; KUSTOMIZE, COMPOSE, HADOLINT and ATELIER_BIN are the programs

Ends with `N passed, N failed`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cluster
import containers
import house


def build(work, which):
    """What kustomize makes of a folder of k8s/, and keeps in `work`."""
    try:
        built = house.ask(os.environ["KUSTOMIZE"], "build", work / "k8s" / which)
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
    (work / f"{Path(which).name}.yaml").write_text(built)
    return cluster.Cluster(built)


TLS = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: atelier
resources: [../local]
components: [../../components/tls]
"""


def the_guide_is_whole():
    """Every variable, and none that is not."""
    guide = (house.ROOT / "docs/running.md").read_text()
    named = set(re.findall(r"`((?:ATELIER|OTEL)_[A-Z0-9_]+)`", guide[guide.index("## Every variable") :]))
    house.same(house.DECLARED - named, set(), "variables that docs/running.md does not have")
    mentioned = set(re.findall(r"\b((?:ATELIER|OTEL)_[A-Z0-9_]+)\b", guide))
    house.same(mentioned - house.DECLARED, set(), "variables that .env.example does not have")


def main(work):
    # The secrets are made in a copy.
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(house.ROOT / "k8s", work / "k8s", ignore=shutil.ignore_patterns("secrets"))
    house.ask(work / "k8s/overlays/local/make-secrets")
    base, local = build(work, "base"), build(work, "overlays/local")
    house.check("what is expected agrees with the roster", house.calls_whom_it_needs)
    cluster.checks("base", base)
    cluster.checks("local", local)
    cluster.checks_of_settings("local", local)
    # As an operator's own overlay would take it.
    (work / "k8s/overlays/tls").mkdir()
    (work / "k8s/overlays/tls/kustomization.yaml").write_text(TLS)
    cluster.checks_of_tls(build(work, "overlays/tls"))
    containers.checks(base, local)
    house.check("docs/running.md has every variable", the_guide_is_whole)
    print(f"{house.passed} passed, {house.failed} failed")
    return house.failed > 0 or house.passed == 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
