"""A local S3 server, moto's, and what it holds."""

import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

KEY, SECRET = "AKIAEVALKITTESTS0001", "a-secret/of+these-tests"
_numbers = itertools.count()


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own: its URL, and as its owner sees it."""

    endpoint: str
    name: str
    client: Any

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def put(self, key: str, content: bytes) -> str:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes:
        content = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        assert isinstance(content, bytes)
        return content

    def listed(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())]

    def deny(self, action: str, key: str) -> None:
        """Let nobody do that, by a policy of the bucket."""
        what = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{self.name}/{key}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [what]})
        self.client.put_bucket_policy(Bucket=self.name, Policy=policy)


@contextmanager
def s3_server() -> Iterator[str]:
    """The server in a thread of this process; yields its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells of every request
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(endpoint: str) -> Bucket:
    """An empty bucket at a server."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    bucket = Bucket(endpoint, f"bucket-{next(_numbers)}", client)
    client.create_bucket(Bucket=bucket.name)
    return bucket
