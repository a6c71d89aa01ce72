"""Model package groups, and the versions of models that are registered in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.api.errors import invalid
from simulator.api.hosting.resources import Resource, Resources
from simulator.api.paging import Listing, within
from simulator.api.tags import add_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.account import Account

_NOT_SHOWN: Final = ("Tags", "ClientToken")


@dataclass(frozen=True, kw_only=True)
class PackageGroup(Resource):
    """A model package group, with the request that created it."""

    request: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Package(Resource):
    """A version of a model in a group; ``name`` is the group's."""

    version: int
    request: Mapping[str, Any]

    @property
    def approval(self) -> str:
        """The ModelApprovalStatus."""
        return str(self.request.get("ModelApprovalStatus", "PendingManualApproval"))


class Packages:
    """All model package groups of an account, and their versions. ``announce`` is called with each new version."""

    def __init__(self, account: Account, now: Callable[[], float]) -> None:
        self._account = account
        self._now = now
        self.announce: Callable[[Package], None] = lambda _: None
        self.groups: Resources[PackageGroup] = Resources(account, "model-package-group", "model package group")
        self._packages: dict[str, Package] = {}
        self._by_token: dict[str, Package] = {}

    def create_group(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer CreateModelPackageGroup."""
        name = request["ModelPackageGroupName"]
        arn = self.groups.arn(name)
        if self.groups.by_arn(arn) is not None:
            raise invalid(f"Model Package Group already exists: {arn}")
        tags = add_tags({}, request.get("Tags", []))
        self.groups.keep(PackageGroup(name=name, arn=arn, created_at=self._now(), tags=tags, request=request))
        return {"ModelPackageGroupArn": arn}

    def describe_group(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeModelPackageGroup."""
        group = self._group(request["ModelPackageGroupName"])
        return {
            **{key: value for key, value in group.request.items() if key not in _NOT_SHOWN},
            "ModelPackageGroupArn": group.arn,
            "CreationTime": group.created_at,
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer CreateModelPackage; a request with the ClientToken of an earlier one creates nothing."""
        token = request.get("ClientToken")
        if token in self._by_token:
            return {"ModelPackageArn": self._by_token[token].arn}
        group = self._group_of(request)
        version = 1 + max((package.version for package in self._versions(group)), default=0)
        package = Package(
            name=group.name,
            arn=f"{self._account.arn(group.name, 'model-package')}/{version}",
            created_at=self._now(),
            version=version,
            request=request,
        )
        self._packages[package.arn] = package
        if token is not None:
            self._by_token[token] = package
        self.announce(package)
        return {"ModelPackageArn": package.arn}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeModelPackage."""
        return shown(self.existing(request["ModelPackageName"]))

    def list_(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ListModelPackages; without a group there are none, because all packages have versions."""
        if "ModelPackageGroupName" not in request and request.get("ModelPackageType") in (None, "Unversioned"):
            return {"ModelPackageSummaryList": []}
        if "ModelPackageGroupName" in request:
            return _LISTING.answer(self._versions(self._group(request["ModelPackageGroupName"])), request)
        return _LISTING.answer(self._packages.values(), request)

    def existing(self, name: str) -> Package:
        """Return the version with an ARN, or with the part of the ARN after the kind; else a ValidationException."""
        arn = name if name.startswith("arn:") else self._account.arn(name, "model-package")
        package = self._packages.get(arn.lower())
        if package is None:
            raise invalid(f"ModelPackage {arn} does not exist.")
        return package

    def container_of(self, name: str) -> Mapping[str, Any]:
        """Return the container definition of a version."""
        container: Mapping[str, Any] = self.existing(name).request["InferenceSpecification"]["Containers"][0]
        return container

    def _group_of(self, request: Mapping[str, Any]) -> PackageGroup:
        if "ModelPackageName" in request and "ModelPackageGroupName" in request:
            raise invalid(
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                "Cannot determine which one to use."
            )
        if "ModelPackageName" in request:
            raise invalid("The simulator has versions of models only: give a ModelPackageGroupName")
        if "ModelPackageGroupName" not in request:
            raise invalid("Missing ARN.")
        if "InferenceSpecification" not in request or "ValidationSpecification" in request:
            raise invalid("The simulator registers models with an InferenceSpecification, and does not validate them")
        if request.get("Tags"):
            raise invalid("Tags cannot be given for a model package in a group: it uses the tags of its group")
        return self._group(request["ModelPackageGroupName"])

    def _group(self, name: str) -> PackageGroup:
        arn = name.lower() if name.startswith("arn:") else self.groups.arn(name)
        group = self.groups.by_arn(arn)
        if group is None:
            raise invalid(f"ModelPackageGroup {arn} does not exist.")
        return group

    def _versions(self, group: PackageGroup) -> list[Package]:
        return [package for package in self._packages.values() if package.name == group.name]


def shown(package: Package) -> dict[str, Any]:
    """Return a version as DescribeModelPackage shows it; times are epoch seconds.

    Versions have no ModelPackageName in practice, although the service's own model requires one.
    """
    return {
        "CertifyForMarketplace": False,
        **{key: value for key, value in package.request.items() if key not in _NOT_SHOWN},
        "ModelPackageGroupName": package.name,
        "ModelPackageVersion": package.version,
        "ModelPackageArn": package.arn,
        "CreationTime": package.created_at,
        "CreatedBy": {},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "ModelApprovalStatus": package.approval,
    }


def _summarize(package: Package) -> dict[str, Any]:
    summary = {
        "ModelPackageGroupName": package.name,
        "ModelPackageVersion": package.version,
        "ModelPackageArn": package.arn,
        "CreationTime": package.created_at,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": package.approval,
    }
    description = package.request.get("ModelPackageDescription")
    return summary if description is None else {**summary, "ModelPackageDescription": description}


def _sort_key(sort_by: str) -> Callable[[Package], tuple[float | str, float | str]]:
    if sort_by == "Name":
        return lambda package: (package.name, package.version)
    return lambda package: (package.created_at, f"{package.name}/{package.version:09}")


def _matches(package: Package, filters: Mapping[str, Any]) -> bool:
    return (
        filters.get("NameContains", "").lower() in package.name.lower()
        and filters.get("ModelApprovalStatus", package.approval) == package.approval
        and within(package.created_at, filters, "CreationTime")
    )


_LISTING: Final = Listing("ModelPackageSummaryList", _summarize, _matches, _sort_key)
