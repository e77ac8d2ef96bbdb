"""Calls account.v1.Account as Google's gRPC library does, and tells what it understood.

Reads {"targets": [{"target": "host:port", "metadata": [[name, value], …]}]} from stdin, and writes
one answer per target: for each kind of call the replies, or the status with its details.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

TIMEOUT_SECONDS = 20
SERVICE = "/account.v1.Account/"
# Messages are bytes: all of them have one string, in field 1.
EMPTY = b""
STRING_FIELD = 0x0A


def message(text):
    data = text.encode()
    return bytes([STRING_FIELD, len(data)]) + data


def text(reply):
    assert reply[0] == STRING_FIELD and reply[1] == len(reply) - 2, reply
    return reply[2:].decode()


def understood(error):
    # Raises if the details are about another code or message than the status.
    status = rpc_status.from_call(error)
    answer = {"code": error.code().value[0], "message": error.details()}
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            answer["info"] = [info.reason, info.domain, dict(info.metadata)]
        elif detail.Unpack(retry):
            answer["retry"] = [retry.retry_delay.seconds, retry.retry_delay.nanos]
    return answer


def outcome(call):
    try:
        return {"replies": [text(reply) for reply in call()]}
    except grpc.RpcError as error:
        return understood(error)


def calls(channel, metadata):
    extra = {"metadata": metadata, "timeout": TIMEOUT_SECONDS}
    unary = channel.unary_unary(SERVICE + "WhoAmI")
    streaming = channel.unary_stream(SERVICE + "Watch")
    both_ways = channel.stream_stream(SERVICE + "Echo")
    messages = [message("first"), message("second")]
    return {
        "unary": lambda: [unary(EMPTY, **extra)],
        "streaming": lambda: streaming(EMPTY, **extra),
        "both ways": lambda: both_ways(iter(messages), **extra),
    }


def answer(target):
    metadata = [tuple(pair) for pair in target["metadata"]]
    with grpc.insecure_channel(target["target"]) as channel:
        told = {name: outcome(call) for name, call in calls(channel, metadata).items()}
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="account.v1.Account")
        health = health.Check(request, timeout=TIMEOUT_SECONDS).status
        told["health"] = health_pb2.HealthCheckResponse.ServingStatus.Name(health)
    return told


json.dump([answer(target) for target in json.load(sys.stdin)["targets"]], sys.stdout)
