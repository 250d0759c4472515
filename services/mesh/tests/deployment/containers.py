"""The image and the compose file: against the roster, each other and the Kubernetes files."""

import json
import os
import re
import subprocess
import tomllib

from cluster import container, pod
from expected import CALLS, ENGINES, PORTS as ENGINE_PORTS
from house import ADMIN, PORTS, ROLES, ROOT, Wrong, ask, check, ends_in_time, environment, holds, is_taken, is_told, same

EXAMPLE = ROOT / "compose.env.example"


def filled():
    """compose.env as its example says that it is made, and which of it are secrets."""
    told = environment(EXAMPLE.read_text())
    secrets = [name for name, value in told.items() if not value]
    return told | {name: f"{number:048x}" for number, name in enumerate(secrets, 1)}, secrets


def load(variables):
    return json.loads(ask(os.environ["COMPOSE"], ROOT / "compose.yaml", variables=variables))


def has_a_container_for_each_role(services):
    built = {name: service for name, service in services.items() if "build" in service}
    same({name: service["command"] for name, service in built.items()}, {role: [role] for role in ROLES}, "roles and their arguments")
    same(len({service["image"] for service in built.values()}), 1, "images that the roles are of")
    for role, service in built.items():
        own = {name: value for name, value in service.items() if name not in ("command", "environment", "ports")}
        common = {name: value for name, value in built["edge"].items() if name not in ("command", "environment", "ports")}
        same(own, common, f"what {role} has in common with the edge")
        same((service["read_only"], service["cap_drop"]), (True, ["ALL"]), f"how {role} is confined")
        holds("no-new-privileges:true" in service["security_opt"], f"{role} may gain privileges")


def publishes_the_edge_alone(told):
    services = load({name: value for name, value in told.items() if name != "EDGE_ADDRESS"})["services"]
    published = {name: [port["target"] for port in service["ports"]] for name, service in services.items() if service.get("ports")}
    same(published, {"edge": [PORTS["edge"]]}, "what is published")
    same(services["edge"]["ports"][0].get("host_ip"), "127.0.0.1", "to whom, while nobody says otherwise")


def keeps_engines_apart(project):
    services, networks = project["services"], project["networks"]
    same(networks["engines"].get("internal"), True, "whether the engines' network leads nowhere")
    for engine in ENGINE_PORTS:
        same(set(services[engine]["networks"]), {"engines"}, f"networks of {engine}")
        holds(services[engine]["healthcheck"]["test"], f"{engine} has no healthcheck")
    for role in ROLES:
        holds("engines" in services[role]["networks"] and "mesh" in services[role]["networks"], f"{role} reaches not all")
        holds(CALLS[role] | ENGINES[role] <= set(services), f"{role} calls whom there is not")
    kept = {volume["source"] for engine in ENGINE_PORTS for volume in services[engine].get("volumes", []) if volume["type"] == "volume"}
    same(kept, set(project["volumes"]), "volumes")


def needs_every_secret(told, secrets):
    """There is no password that works without being set."""
    holds(len(secrets) > 5, "the example has no secrets")
    for name in secrets:
        try:
            load({other: value for other, value in told.items() if other != name})
        except subprocess.CalledProcessError as error:
            holds(name in error.stderr, error.stderr)
        else:
            raise Wrong(f"{name} may be left out")


def has_the_engines_of_the_cluster(services, cluster):
    same({e: services[e]["image"] for e in ENGINE_PORTS}, {e: container(s)["image"] for e, s in cluster.engines.items()}, "images")


def lints():
    ask(os.environ["HADOLINT"], "--failure-threshold", "style", ROOT / "Dockerfile")


def instructions():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]


def last(name):
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def is_the_image_of_the_roster(cluster):
    same({int(port) for port in last("EXPOSE").split()}, set(PORTS.values()) | {ADMIN}, "ports")
    same(json.loads(last("ENTRYPOINT")), ["/atelier"], "what is run")
    user = last("USER").split(":")
    for role, workload in cluster.roles.items():
        context = pod(workload)["securityContext"]
        same([str(context["runAsUser"]), str(context["runAsGroup"])], user, f"whose {role} runs as")
    holds(last("FROM").startswith("gcr.io/distroless/"), "what it stands on")


def is_of_this_version(cluster):
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    arguments = dict(rest.split("=", 1) for instruction, rest in instructions() if instruction == "ARG")
    same(arguments["VERSION"], package["version"], "the image's version")
    holds(instructions()[0][1].startswith(f"rust:{package['rust-version']}."), "which Rust builds it")
    for role, workload in cluster.roles.items():
        holds(container(workload)["image"].endswith(f":{package['version']}"), f"{role} is of another version")


def checks(base, local):
    check("the image: hadolint has nothing to say", lints)
    check("the image: ports, user and entry are the roster's and the cluster's", is_the_image_of_the_roster, base)
    check("the image: it is of this version", is_of_this_version, base)
    told, secrets = filled()
    try:
        project = load(told)
    except subprocess.CalledProcessError as error:
        check("compose: it is read", holds, False, error.stderr)
        return
    services = project["services"]
    check("compose: each role has a container, and its arguments alone are its own", has_a_container_for_each_role, services)
    check("compose: the edge alone is published", publishes_the_edge_alone, told)
    check("compose: the engines are apart, watched, and keep what they have", keeps_engines_apart, project)
    check("compose: every secret must be set", needs_every_secret, told, secrets)
    check("compose: its engines are the cluster's", has_the_engines_of_the_cluster, services, local)
    for role in ROLES:
        variables = services[role]["environment"]
        minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(\d+)s", services[role]["stop_grace_period"]).groups("0")
        check(f"compose: {role} is told what it needs", is_told, role, variables)
        check(f"compose: {role} is given the time it needs to end", ends_in_time, variables, 60 * int(minutes) + int(seconds))
        check(f"compose: the program takes what {role} is told", is_taken, role, variables)
