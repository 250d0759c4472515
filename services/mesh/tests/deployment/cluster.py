"""The Kubernetes files as kustomize builds them: against the schemas, the roster, and what is expected of them."""

import base64
import copy

import kubernetes_validate
import network
import yaml
from expected import CALLS, ENGINES, SECRETS, WITHOUT_SECRETS, WORLD
from expected import PORTS as ENGINE_PORTS
from house import ADMIN, DECLARED, PORTS, ROLES, ROSTER, check, ends_in_time, holds, is_refused, is_taken, is_told, same

COMPONENT = "app.kubernetes.io/component"
STRANGER = {COMPONENT: "stranger"}
ELSEWHERE = {"namespace": {"kubernetes.io/metadata.name": "default"}, "pod": STRANGER}
OBSERVER = {"namespace": {"kubernetes.io/metadata.name": "observability"}, "pod": STRANGER}
NAMES = {"namespace": {"kubernetes.io/metadata.name": "kube-system"}, "pod": {"k8s-app": "kube-dns"}}


class Cluster:
    """What one kustomization builds."""

    def __init__(self, text):
        self.all = [each for each in yaml.safe_load_all(text) if each]
        self.roles = {d["metadata"]["name"]: d for d in self.of("Deployment")}
        self.engines = {s["metadata"]["name"]: s for s in self.of("StatefulSet")}
        self.services = {s["metadata"]["name"]: s for s in self.of("Service")}
        self.policies = self.of("NetworkPolicy")

    def of(self, kind):
        return [each for each in self.all if each["kind"] == kind]

    def named(self, kind, name):
        return next(each for each in self.of(kind) if each["metadata"]["name"] == name)

    def pods(self):
        return self.roles | self.engines

    def labels(self, name):
        return self.pods()[name]["spec"]["template"]["metadata"]["labels"]

    def variables(self, role):
        """What a role's process is told."""
        told = {}
        for source in pod(self.roles[role])["containers"][0]["envFrom"]:
            kind, reference = ("ConfigMap", source["configMapRef"]) if "configMapRef" in source else ("Secret", source["secretRef"])
            if not self.has(kind, reference["name"]):
                continue
            data = self.named(kind, reference["name"])["data"]
            told |= data if kind == "ConfigMap" else decoded(data)
        return told

    def has(self, kind, name):
        return any(each["metadata"]["name"] == name for each in self.of(kind))


def decoded(data):
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


def pod(workload):
    return workload["spec"]["template"]["spec"]


def container(workload):
    (only,) = pod(workload)["containers"]
    return only


def follows_the_schema(each):
    try:
        kubernetes_validate.validate(each, "1.37", strict=True)
    except kubernetes_validate.ValidationError as error:
        holds(False, f"{'.'.join(map(str, error.path))}: {error.message}")


def has_each_role_once(cluster):
    same(set(cluster.roles), set(ROLES), "Deployments")
    budgets = {b["metadata"]["name"]: b["spec"] for b in cluster.of("PodDisruptionBudget")}
    same(set(budgets), set(ROLES), "PodDisruptionBudgets")
    same(set(cluster.services), set(cluster.pods()), "Services")
    for name, workload in cluster.pods().items():
        labels = cluster.labels(name)
        selectors = [workload["spec"]["selector"], {"matchLabels": cluster.services[name]["spec"]["selector"]}]
        selectors += [budgets[name]["selector"]] if name in budgets else []
        for selector in selectors:
            holds(network.chosen(selector, labels), f"{name} does not choose its own pods")
            others = [other for other in cluster.pods() if other != name and network.chosen(selector, cluster.labels(other))]
            same(others, [], f"whom else {name} chooses")
    for role in ROLES:
        holds(cluster.roles[role]["spec"]["replicas"] >= 2, f"{role} has one pod")
        same(budgets[role]["maxUnavailable"], 1, f"how many of {role} may go at once")


def differs_in_its_arguments_alone(cluster):
    """Of two roles nothing differs but the arguments, and what follows from the role's name and port."""
    common = None
    for role in ROLES:
        spec = copy.deepcopy(cluster.roles[role]["spec"])
        own = spec["template"]["spec"]["containers"][0]
        same(own.pop("args"), [role], "the arguments")
        del spec["selector"], spec["template"]["metadata"]["labels"][COMPONENT]
        own["ports"] = [port for port in own["ports"] if port["containerPort"] != PORTS[role]]
        for way in ("grpc", "httpGet"):
            own["readinessProbe"].pop(way, None)
        secret = own["envFrom"].pop()["secretRef"]
        holds(secret["name"].startswith(f"atelier-{role}"), f"{role} has the Secret {secret['name']}")
        same(secret.get("optional", False), role in WITHOUT_SECRETS, f"whether {role} goes without its Secret")
        common = common or spec
        same(spec, common, f"what {role} has in common with the others")


def listens_and_is_probed(cluster, role):
    own = container(cluster.roles[role])
    ports = {port["name"]: port["containerPort"] for port in own["ports"]}
    name = "http" if role == "edge" else "grpc"
    same(ports, {"admin": ADMIN, name: PORTS[role]}, "ports")
    same(own["livenessProbe"]["httpGet"], {"path": "/livez", "port": "admin"}, "the probe of life")
    ready = own["readinessProbe"]
    if role == "edge":
        same(ready["httpGet"], {"path": "/readyz", "port": "admin"}, "the probe of readiness")
    else:
        same(ready["grpc"], {"port": PORTS[role], "service": ROSTER["roles"][role]["services"][0]}, "the probe of readiness")
    spec = cluster.services[role]["spec"]
    (port,) = spec["ports"]
    same((port["port"], port["targetPort"]), (PORTS[role], name), "the Service's port")
    wanted = (None, None) if role == "edge" else ("None", True)
    same((spec.get("clusterIP"), spec.get("publishNotReadyAddresses")), wanted, "whether each pod has an address in DNS")


def knows_others_by_certificate(cluster, role):
    """A role has its own certificate, and is asked on the port that asks for none."""
    (mounted,) = [mount["mountPath"] for mount in container(cluster.roles[role])["volumeMounts"] if mount["name"] == "certs"]
    same(cluster.variables(role)["ATELIER_CERTS"], mounted, "where its certificates are")
    (volume,) = [volume for volume in pod(cluster.roles[role])["volumes"] if volume["name"] == "certs"]
    same(volume["secret"]["secretName"], f"atelier-certs-{role}", "whose certificate it has")
    ready = container(cluster.roles[role])["readinessProbe"]
    same((ready.get("grpc"), ready["httpGet"]), (None, {"path": "/readyz", "port": "admin"}), "the probe of readiness")


def is_confined(name, workload):
    spec, own = pod(workload), container(workload)
    for field in ("automountServiceAccountToken", "enableServiceLinks"):
        same(spec.get(field), False, field)
    outer, inner = spec["securityContext"], own["securityContext"]
    same(outer["runAsNonRoot"], True, "runAsNonRoot")
    holds(outer["runAsUser"] > 0, "it runs as root")
    same(outer["seccompProfile"], {"type": "RuntimeDefault"}, "seccompProfile")
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    same(inner, wanted, "the container's securityContext")
    same(set(own["resources"]["requests"]), {"cpu", "memory"}, "requests")
    holds("memory" in own["resources"]["limits"], "memory has no limit")
    holds(":" in own["image"] and not own["image"].endswith(":latest"), f"the image {own['image']} is of no version")
    volumes = {v["name"] for v in spec["volumes"]} | {c["metadata"]["name"] for c in workload["spec"].get("volumeClaimTemplates", [])}
    same({mount["name"] for mount in own["volumeMounts"]}, volumes, "volumes that are mounted")


def keeps_its_own_folder(cluster, role):
    """The volume's own folder is not the process's: it could not be made private to it."""
    data = cluster.named("ConfigMap", settings(cluster))["data"]["ATELIER_DATA"]
    written = [mount["mountPath"] for mount in container(cluster.roles[role])["volumeMounts"] if not mount.get("readOnly")]
    holds(any(data.startswith(f"{path}/") for path in written), f"{data} is not within {written}")


def settings(cluster):
    (name,) = [c["metadata"]["name"] for c in cluster.of("ConfigMap") if c["metadata"]["name"].startswith("atelier-settings")]
    return name


def reaches_what_it_needs_and_no_more(cluster):
    """Every pod against every port of every pod."""
    ports = {role: [PORTS[role], ADMIN] for role in cluster.roles} | {engine: [ENGINE_PORTS[engine], 22] for engine in cluster.engines}
    for source in cluster.pods():
        for target, (own, other) in ports.items():
            if source == target:
                continue
            wanted = target in CALLS.get(source, set()) | ENGINES.get(source, set())
            # Each side for itself, so that neither relies on the other.
            for port, may in ((own, wanted), (other, False)):
                caller, called = cluster.labels(source), cluster.labels(target)
                same(network.leaves(cluster.policies, caller, called, port), may, f"whether {source} may call {target}:{port}")
                anybody = target == "edge" and port == own
                same(network.enters(cluster.policies, called, caller, port), may or anybody, f"whether {target}:{port} takes {source}")


def is_reached_from_outside(cluster):
    for name in cluster.pods():
        labels = cluster.labels(name)
        port = PORTS.get(name) or ENGINE_PORTS[name]
        for who in (ELSEWHERE, STRANGER, "203.0.113.7"):
            same(network.enters(cluster.policies, labels, who, port), name == "edge", f"whether {who} reaches {name}:{port}")
        for who in (ELSEWHERE, STRANGER, "203.0.113.7"):
            holds(not network.enters(cluster.policies, labels, who, ADMIN), f"{who} reaches the admin port of {name}")
        same(network.enters(cluster.policies, labels, OBSERVER, ADMIN), name in ROLES, f"whether {name} is observed")


def reaches_the_world(cluster):
    for name in cluster.pods():
        labels = cluster.labels(name)
        for protocol in ("UDP", "TCP"):
            holds(network.leaves(cluster.policies, labels, NAMES, 53, protocol), f"{name} is told no names over {protocol}")
        same(network.leaves(cluster.policies, labels, OBSERVER, 4317), name in ROLES, f"whether {name} sends traces")
        for port in (80, 443, 465, 587, 8333):
            found = network.leaves(cluster.policies, labels, "203.0.113.7", port)
            same(found, port in WORLD.get(name, set()), f"whether {name} reaches the world's {port}")
            for private in ("10.96.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "127.0.0.1", "fd00::1", "fe80::1"):
                holds(not network.leaves(cluster.policies, labels, private, port), f"{name} reaches {private}:{port}")


def local(cluster):
    return bool(cluster.engines)


def names_what_is_there(cluster):
    """Every ConfigMap, Secret and claim that a pod names; where nothing else is, those that docs/running.md has made."""
    for name, workload in cluster.pods().items():
        spec = pod(workload)
        wanted = [(s, k) for s in container(workload).get("envFrom", []) for k in s]
        references = [("ConfigMap" if kind == "configMapRef" else "Secret", source[kind]) for source, kind in wanted]
        for volume in spec["volumes"]:
            if "configMap" in volume:
                references.append(("ConfigMap", volume["configMap"]))
            if "secret" in volume:
                references.append(("Secret", {"name": volume["secret"]["secretName"]}))
        for kind, reference in references:
            if reference.get("optional") or cluster.has(kind, reference["name"]):
                continue
            by_hand = kind == "Secret" and not local(cluster) and reference["name"] in ("atelier-mesh", f"atelier-{name}")
            holds(by_hand, f"{name} names the {kind} {reference['name']}, which is not there")


def forbids_first(cluster):
    """Without any policy beside it, nobody reaches anybody: what is allowed is allowed by name."""
    bare = [p for p in cluster.policies if p["metadata"]["name"] == "default-deny"]
    same(len(bare), 1, "policies that forbid")
    for name in cluster.pods():
        labels = cluster.labels(name)
        holds(not network.leaves(bare, labels, "203.0.113.7", 443), f"{name} leaves")
        holds(not network.enters(bare, labels, "203.0.113.7", 443), f"{name} is entered")


def tells_no_secret(cluster):
    told = set(cluster.named("ConfigMap", settings(cluster))["data"])
    same(told & SECRETS, set(), "secrets in the settings")
    same(told - DECLARED, set(), "settings that .env.example does not have")


def checks(which, cluster):
    for each in cluster.all:
        check(f"{which}: {each['kind']} {each['metadata']['name']} follows the schema", follows_the_schema, each)
    check(f"{which}: each role has its Deployment, Service and budget", has_each_role_once, cluster)
    check(f"{which}: roles differ in their arguments alone", differs_in_its_arguments_alone, cluster)
    for role in ROLES:
        check(f"{which}: {role} listens on the roster's port and is probed there", listens_and_is_probed, cluster, role)
        check(f"{which}: {role} keeps a folder of its own", keeps_its_own_folder, cluster, role)
    for name, workload in cluster.pods().items():
        check(f"{which}: {name} may do nothing that it need not", is_confined, name, workload)
    check(f"{which}: the settings are known and hide nothing", tells_no_secret, cluster)
    check(f"{which}: what pods name is there", names_what_is_there, cluster)
    check(f"{which}: all is forbidden first", forbids_first, cluster)
    check(f"{which}: pods reach what they need and no more", reaches_what_it_needs_and_no_more, cluster)
    check(f"{which}: the edge alone is reached from outside", is_reached_from_outside, cluster)
    check(f"{which}: the world is reached by those who need it", reaches_the_world, cluster)


def checks_of_settings(which, cluster):
    """Where the Secrets are there too, the variables of a role are whole."""
    for role in ROLES:
        told = cluster.variables(role)
        check(f"{which}: {role} is told what it needs", is_told, role, told)
        grace = pod(cluster.roles[role])["terminationGracePeriodSeconds"]
        check(f"{which}: {role} is given the time it needs to end", ends_in_time, told, grace)
        check(f"{which}: the program takes what {role} is told", is_taken, role, told)
    check(f"{which}: the program refuses what it does not know", is_refused, "edge", cluster.variables("edge"))


def checks_of_tls(cluster):
    for each in cluster.of("Deployment"):
        check(f"tls: Deployment {each['metadata']['name']} follows the schema", follows_the_schema, each)
    for role in ROLES:
        told = cluster.variables(role)
        check(f"tls: {role} is told what it needs", is_told, role, told, "https")
        check(f"tls: the program takes what {role} is told", is_taken, role, told)
        check(f"tls: {role} is known by its certificate", knows_others_by_certificate, cluster, role)
