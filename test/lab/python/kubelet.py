"""The kubelet's calls by grpcio and by protobuf messages encoded here by hand: a client that shares no code with us.

Reads one JSON object from stdin, {"registry": DIRECTORY, "versions": [...], "claims": [{namespace, uid, name}, ...]},
does what the kubelet does with the driver whose socket it finds there, and prints what it got as JSON.
Field numbers: kubernetes/kubelet pkg/apis/{pluginregistration,dra}/*/api.proto.
"""

import json
import os
import stat
import sys
import urllib.parse

import grpc


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def text_field(number, text):
    return bytes_field(number, text.encode())


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return number, at


def fields(data):
    """All fields as a list of (number, value); only the wire types that occur here."""
    found, at = [], 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at : at + length], at + length
            if len(value) != length:
                raise ValueError("truncated message")
        else:
            raise ValueError(f"wire type {key & 7}")
        found.append((key >> 3, value))
    return found


def texts(data, number):
    return [value.decode() for at, value in fields(data) if at == number]


def text(data, number):
    return (texts(data, number) or [""])[-1]


def claims_request(claims):
    return b"".join(
        bytes_field(1, text_field(1, c["namespace"]) + text_field(2, c["uid"]) + text_field(3, c["name"])) for c in claims
    )


def entries(response):
    for number, entry in fields(response):
        assert number == 1, number
        value = [v for n, v in fields(entry) if n == 2]
        yield text(entry, 1), value[0] if value else b""


def device(data):
    shown = {"requests": texts(data, 1), "pool": text(data, 2), "device": text(data, 3), "cdi": texts(data, 4)}
    share = texts(data, 5)
    return {**shown, "share": share[0]} if share else shown


def prepared(response):
    return {
        uid: {"devices": [device(v) for n, v in fields(data) if n == 1], "error": text(data, 2)}
        for uid, data in entries(response)
    }


def unprepared(response):
    return {uid: {"error": text(data, 1)} for uid, data in entries(response)}


class Connection:
    """Raw bytes in, raw bytes out."""

    def __init__(self, path, authority):
        self.channel = grpc.insecure_channel("unix:" + path, options=[("grpc.default_authority", authority)])

    def call(self, method, request, seconds):
        return self.channel.unary_unary(method)(request, timeout=seconds)

    def status(self, method):
        try:
            self.call(method, b"", 5)
        except grpc.RpcError as error:
            return error.code().name
        return "OK"


def main():
    asked = json.load(sys.stdin)
    registry = asked["registry"]
    sockets = [
        os.path.join(registry, name)
        for name in sorted(os.listdir(registry))
        if not name.startswith(".") and stat.S_ISSOCK(os.stat(os.path.join(registry, name)).st_mode)
    ]
    assert len(sockets) == 1, sockets
    # The kubelet dials the registration socket by its raw path, which grpc-go turns into an escaped authority.
    registrar = Connection(sockets[0], urllib.parse.quote(sockets[0], safe=""))
    info = registrar.call("/pluginregistration.Registration/GetInfo", b"", 1)
    offered = texts(info, 4)
    version = next((v for v in offered if v in asked["versions"]), None)
    result = {"type": text(info, 1), "name": text(info, 2), "endpoint": text(info, 3), "offered": offered, "version": version}
    notify = "/pluginregistration.Registration/NotifyRegistrationStatus"
    if version is None:
        registrar.call(notify, text_field(2, "no version in common"), 5)
    else:
        dra = Connection(result["endpoint"], "localhost")
        grpc.channel_ready_future(dra.channel).result(timeout=5)
        assert registrar.call(notify, varint(1 << 3) + varint(1), 5) == b""
        service = "/k8s.io.kubelet.pkg.apis.dra." + version
        request = claims_request(asked["claims"])
        result["prepared"] = prepared(dra.call(service + "/NodePrepareResources", request, 45))
        result["again"] = prepared(dra.call(service + "/NodePrepareResources", request, 45))
        result["unprepared"] = unprepared(dra.call(service + "/NodeUnprepareResources", request, 45))
        result["health"] = dra.status("/v1.DRAResourceHealth/NodeWatchResources")
    print(json.dumps(result))


main()
