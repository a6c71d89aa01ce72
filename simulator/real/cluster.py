"""The instances of a training job: their host names and groups, and which part of a channel each of them gets."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the service calls the only group of a job without InstanceGroups.
_ONLY_GROUP: Final = "homogeneousCluster"
_NETWORK_INTERFACE: Final = "lo"
_FIRST_LOOPBACK: Final = int(IPv4Address("127.0.0.0"))
_HOSTS_IN_BLOCK: Final = 256
_BLOCKS: Final = 0xFF00


@dataclass(frozen=True)
class Instance:
    """An instance of a job: its host name, such as ``algo-1``, its group and its type."""

    host: str
    group: str
    instance_type: str


@dataclass(frozen=True)
class Share:
    """Every ``of``-th object of a channel, beginning with the one at ``place``; by default, all of them."""

    place: int = 0
    of: int = 1

    def select(self, keys: list[str]) -> list[str]:
        """Return the keys of this share, which may be none if there are fewer objects than instances."""
        return keys[self.place :: self.of]


@dataclass(frozen=True)
class Cluster:
    """All instances of a job, in the order of their host names."""

    instances: tuple[Instance, ...]

    @property
    def hosts(self) -> list[str]:
        """The host names."""
        return [instance.host for instance in self.instances]

    def resource_config(self, current: Instance) -> dict[str, Any]:
        """Return the content of ``resourceconfig.json`` on one of the instances."""
        groups: dict[str, dict[str, Any]] = {}
        for instance in self.instances:
            named = {
                "instance_group_name": instance.group,
                "instance_type": instance.instance_type,
                "hosts": [],
            }
            groups.setdefault(instance.group, named)["hosts"].append(instance.host)
        return {
            "current_host": current.host,
            "current_instance_type": current.instance_type,
            "current_group_name": current.group,
            "hosts": self.hosts,
            "instance_groups": list(groups.values()),
            "network_interface_name": _NETWORK_INTERFACE,
        }

    def share(self, instance: Instance, channel: Mapping[str, Any]) -> Share | None:
        """Return which objects of a channel an instance gets; ``None`` if the channel is not for its group."""
        source = channel["DataSource"]["S3DataSource"]
        groups = source.get("InstanceGroupNames")
        receivers = [each for each in self.instances if not groups or each.group in groups]
        if instance not in receivers:
            return None
        if source.get("S3DataDistributionType") != "ShardedByS3Key":
            return Share()
        return Share(receivers.index(instance), len(receivers))

    def host_names(self, job: str) -> str:
        """Return lines for a file of host names: each host has a loopback address of its own, and so has each job.

        Processes that listen at their host's address thus do not compete for ports.
        """
        first = _FIRST_LOOPBACK + (1 + zlib.crc32(job.encode()) % _BLOCKS) * _HOSTS_IN_BLOCK
        return "".join(f"{IPv4Address(first + place)}\t{host}\n" for place, host in enumerate(self.hosts, start=1))


def cluster_of(request: Mapping[str, Any]) -> Cluster:
    """Return the instances that a request asks for."""
    resources = request["ResourceConfig"]
    groups = resources.get("InstanceGroups") or [{"InstanceGroupName": _ONLY_GROUP, **resources}]
    wanted = [
        (group["InstanceGroupName"], group.get("InstanceType", ""))
        for group in groups
        for _ in range(group.get("InstanceCount", 1))
    ]
    return Cluster(tuple(Instance(f"algo-{number}", *kind) for number, kind in enumerate(wanted, start=1)))
