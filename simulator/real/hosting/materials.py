"""The images and the model data that exist, and the data in a container's folder."""

from __future__ import annotations

import tarfile
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from simulator.real.s3 import Location, channel_name_of, download, list_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from simulator.api.hosting.models import ModelData
    from simulator.real.clients import Clients
    from simulator.world.images import Images

_ABSENT: Final = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")


class LocalMaterials:
    """Images on this machine and data in S3, if there is an address for it; what cannot be looked up is believed."""

    def __init__(self, clients: Clients, images: Images) -> None:
        self._clients = clients
        self._images = images

    def has_image(self, image: str) -> bool:
        """Whether an image is simulated, or has a folder."""
        if not self._images.runs(image):
            return True
        try:
            self._images.find(image)
        except LookupError:
            return False
        return True

    def has_data(self, uri: str, *, folder: bool) -> bool:
        """Whether there is an object at ``uri``, or, in a folder, any object below it."""
        if not self._clients.has("s3") or not uri.startswith("s3://"):
            return True
        place = Location.parse(uri)
        try:
            if folder:
                return any(True for _ in list_keys(self._clients.s3, place))
            self._clients.s3.head_object(Bucket=place.bucket, Key=place.key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return False
            raise
        return True


def place_data(s3: S3Client, data: ModelData, folder: Path) -> None:
    """Download the data of a model into its folder, unpacked.

    Raises
    ------
    ValueError
        If there is none, or if it is no archive, in the service's words.
    """
    location = Location.parse(data.uri)
    try:
        if data.packed:
            _unpack(s3, location, folder)
            return
        names = partial(channel_name_of, prefix=location.key)
        download(s3, location.bucket, list_keys(s3, location), folder, names)
    except ClientError as error:
        raise ValueError(
            f'Failed to download model data for container "container_1" from URL: "{data.uri}". Please ensure that '
            "there is an object located at the URL and that the role passed to CreateModel has permissions to download "
            "the object."
        ) from error


def _unpack(s3: S3Client, location: Location, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        archive = Path(scratch) / "model.tar.gz"
        s3.download_file(location.bucket, location.key, str(archive))
        try:
            with tarfile.open(archive, "r:gz") as packed:
                packed.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(
                f'Failed to extract model data archive for container "container_1" from URL "{location}". Please '
                "ensure that the object located at the URL is a valid tar.gz archive."
            ) from error
