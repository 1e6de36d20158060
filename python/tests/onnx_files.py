"""Small ONNX models that end the process they run in: the lowest 32-bit integer divided by -1, which the processor answers with a trap.

The schema is github.com/onnx/onnx, ``onnx.proto``; the wire format is Protocol Buffers'.
"""

import struct
from pathlib import Path

FLOAT, INT32 = 1, 6
LOWEST = -1 << 31


def write(folder, name, divisor):
    """Writes a model of SD1.5's four channels whose picture is three of them, and which divides ``LOWEST`` by a divisor on the way.

    ``"always"``: by -1, already when the model is loaded. ``"first"``: when it makes its first picture. ``"bright"``: only where the latent's mean is
    above 100, which no trial has.
    """
    nodes = [_node("Conv", ["z", "kernel"], "colours")]
    if divisor == "always":
        nodes.append(_node("Div", ["lowest", "minus"], "quotient"))
    else:
        nodes.append(_node("ReduceMean", ["colours"], "mean", _attribute("keepdims", 0)))
        nodes.append(_node("Greater", ["mean", "hundred" if divisor == "bright" else "nothing"], "isBright"))
        nodes.append(_node("Cast", ["isBright"], "bright", _attribute("to", INT32)))
        nodes.append(_node("Mul", ["bright", "two"], "twice"))
        nodes.append(_node("Sub", ["one", "twice"], "divisor"))
        nodes.append(_node("Div", ["lowest", "divisor"], "quotient"))
    nodes += [_node("Cast", ["quotient"], "number", _attribute("to", FLOAT)), _node("Add", ["colours", "number"], "rgb")]
    weights = [_tensor("kernel", FLOAT, "12f", (3, 4, 1, 1), 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), _tensor("nothing", FLOAT, "f", (1,), -1e30),
               _tensor("hundred", FLOAT, "f", (1,), 100), *(_tensor(word, INT32, "i", (1,), value) for word, value in
                                                            (("lowest", LOWEST), ("minus", -1), ("one", 1), ("two", 2)))]
    graph = [*(_field(1, node) for node in nodes), _field(2, name), *(_field(5, tensor) for tensor in weights),
             _field(11, _value("z", 4)), _field(12, _value("rgb", 3))]
    path = Path(folder, name + ".onnx")
    path.write_bytes(_field(1, 8) + _field(7, b"".join(graph)) + _field(8, _field(1, "") + _field(2, 17)))
    path.with_suffix(".json").write_text('{"format": "SD15", "range": "-1..1"}', encoding="utf-8")
    return path


def _varint(value):
    value &= (1 << 64) - 1
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _node(operation, inputs, output, attribute=b""):
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operation) + attribute


def _attribute(name, value):
    return _field(5, _field(1, name) + _field(3, value) + _field(20, 2))


def _tensor(name, kind, layout, axes, *values):
    return b"".join(_field(1, axis) for axis in axes) + _field(2, kind) + _field(8, name) + _field(9, struct.pack("<" + layout, *values))


def _value(name, channels):
    axes = _field(1, _field(1, 1)) + _field(1, _field(1, channels)) + _field(1, _field(2, "height")) + _field(1, _field(2, "width"))
    return _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, axes)))
