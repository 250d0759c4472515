"""Who reaches whom, as the cluster's network would have it: the policies of one namespace, played through."""

from ipaddress import ip_address, ip_network


def chosen(selector, labels):
    """Whether a label selector chooses these labels; an empty one chooses all."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        if rule["operator"] != "In":
            raise ValueError(f"the operator {rule['operator']} is not known here")
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def _peer(peer, other):
    """Whether a peer of a rule is `other`: labels of a pod in this namespace, an address out there, or a pod elsewhere as
    `{"namespace": labels, "pod": labels}`."""
    if "ipBlock" in peer:
        if not isinstance(other, str):
            return False
        address, block = ip_address(other), peer["ipBlock"]
        inside = lambda cidr: address.version == ip_network(cidr).version and address in ip_network(cidr)
        return inside(block["cidr"]) and not any(inside(cidr) for cidr in block.get("except", []))
    if isinstance(other, str):
        return False
    if "namespace" in other:
        return (
            "namespaceSelector" in peer
            and chosen(peer["namespaceSelector"], other["namespace"])
            and chosen(peer.get("podSelector", {}), other["pod"])
        )
    return "namespaceSelector" not in peer and chosen(peer["podSelector"], other)


def _allowed(rules, side, other, port, protocol):
    for rule in rules:
        peers, ports = rule.get(side), rule.get("ports")
        if peers is not None and not any(_peer(peer, other) for peer in peers):
            continue
        if ports is None or any(p["port"] == port and p.get("protocol", "TCP") == protocol for p in ports):
            return True
    return False


def _side(policies, labels, direction, side, other, port, protocol):
    """Whether one side lets a connection through: where policies choose a pod, one of them must."""
    mine = [p["spec"] for p in policies if direction in p["spec"]["policyTypes"] and chosen(p["spec"]["podSelector"], labels)]
    return not mine or any(_allowed(p.get(direction.lower(), []), side, other, port, protocol) for p in mine)


def leaves(policies, source, other, port, protocol="TCP"):
    return _side(policies, source, "Egress", "to", other, port, protocol)


def enters(policies, target, other, port, protocol="TCP"):
    return _side(policies, target, "Ingress", "from", other, port, protocol)
