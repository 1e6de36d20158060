using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace LatentBridge.Onnx.Export;

/// <summary>
/// One message of the ONNX schema (github.com/onnx/onnx, <c>onnx.proto</c>) being written: fields by their numbers, in the order given. The wire format is
/// Protocol Buffers': a tag (number x 8 + kind), then a varint (kind 0), four bytes (kind 5), or a length and so many bytes (kind 2).
/// </summary>
sealed class OnnxMessage
{
    readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>What was written so far; valid until more is added.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    /// <summary>An integer, or an enumeration's value.</summary>
    public OnnxMessage Add(int field, long value)
    {
        WriteVarint((ulong)field << 3);
        WriteVarint((ulong)value);
        return this;
    }

    public OnnxMessage Add(int field, float value)
    {
        WriteVarint(((ulong)field << 3) | 5);
        BinaryPrimitives.WriteSingleLittleEndian(_bytes.GetSpan(sizeof(float)), value);
        _bytes.Advance(sizeof(float));
        return this;
    }

    public OnnxMessage Add(int field, ReadOnlySpan<byte> value)
    {
        WriteVarint(((ulong)field << 3) | 2);
        WriteVarint((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    public OnnxMessage Add(int field, string value) => Add(field, Encoding.UTF8.GetBytes(value));

    public OnnxMessage Add(int field, OnnxMessage message) => Add(field, message.Bytes);

    // Seven bits a byte, the lowest first; the top bit says that more follow.
    void WriteVarint(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            _bytes.Write([(byte)(value | 0x80)]);
        }

        _bytes.Write([(byte)value]);
    }
}
