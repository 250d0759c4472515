"""Looks at moto's S3 with the clients of others, boto3 and botocore, beside the product's own; it knows nothing of Atelier.

    bucket.py URL account            makes an account that may do everything in S3; prints its access and secret key
    bucket.py URL signatures on|off  whether moto checks the signature of every request from now on, or of none
    bucket.py URL keys BUCKET        the keys of a bucket, one a line, each with its size and media type
    bucket.py URL sum BUCKET KEY     the SHA-256 of an object, in hex
    bucket.py URL signed LINK        succeeds when LINK leads to URL and is signed as botocore would sign it

URL is moto's. The keys of the account are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the last three.
"""

import hashlib
import json
import os
import sys
import urllib.request
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

REGION = "us-east-1"
PATIENT = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"total_max_attempts": 2},
    s3={"addressing_style": "path"},
)


def client(url, service, **keys):
    return boto3.client(service, endpoint_url=url, region_name=REGION, config=PATIENT, **keys)


def account(url):
    # moto checks no signature yet, so any keys will do for making the first account.
    iam = client(url, "iam", aws_access_key_id="first", aws_secret_access_key="first")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.create_user(UserName="atelier")
    iam.put_user_policy(UserName="atelier", PolicyName="objects", PolicyDocument=json.dumps(everything))
    made = iam.create_access_key(UserName="atelier")["AccessKey"]
    print(made["AccessKeyId"], made["SecretAccessKey"])


def signatures(url, switch):
    # moto takes the number of requests that it lets pass before it checks.
    unchecked = {"on": b"0", "off": b"inf"}[switch]
    # Named as text, since moto would take it for a form otherwise, and find nothing in it.
    named = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", data=unchecked, headers=named, method="POST")
    urllib.request.urlopen(request, timeout=20).close()


def keys(url, bucket):
    s3 = client(url, "s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            try:
                kind = s3.head_object(Bucket=bucket, Key=item["Key"])["ContentType"]
            except ClientError as error:
                # It went between the list and this.
                if error.response["Error"]["Code"] == "404":
                    continue
                raise
            print(item["Key"], item["Size"], kind)


def checksum(url, bucket, key):
    body = client(url, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    print(hashlib.sha256(body).hexdigest())


def signed(url, link):
    asked = urlsplit(link)
    told = {name: values[0] for name, values in parse_qs(asked.query, keep_blank_values=True).items()}
    if f"{asked.scheme}://{asked.netloc}" != url:
        sys.exit(f"the link leads elsewhere: {link}")
    if told.get("X-Amz-SignedHeaders") != "host" or not 0 < int(told["X-Amz-Expires"]) <= 604800:
        sys.exit(f"a browser could not use it: {link}")
    access, _, region, service, _ = told["X-Amz-Credential"].split("/")
    if access != os.environ["AWS_ACCESS_KEY_ID"]:
        sys.exit(f"signed by another: {access}")
    unsigned = "&".join(part for part in asked.query.split("&") if not part.startswith("X-Amz-Signature="))
    request = AWSRequest(method="GET", url=asked._replace(query=unsigned).geturl())
    request.context["timestamp"] = told["X-Amz-Date"]
    credentials = Credentials(access, os.environ["AWS_SECRET_ACCESS_KEY"])
    signer = S3SigV4QueryAuth(credentials, service, region)
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if told["X-Amz-Signature"] != wanted:
        sys.exit(f"signed {told['X-Amz-Signature']}, and botocore would sign {wanted}: {link}")


WAYS = {"account": account, "signatures": signatures, "keys": keys, "sum": checksum, "signed": signed}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in WAYS:
        sys.exit(__doc__)
    WAYS[sys.argv[2]](sys.argv[1], *sys.argv[3:])
