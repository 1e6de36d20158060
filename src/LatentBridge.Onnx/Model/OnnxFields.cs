using System.Buffers.Binary;
using System.Text;

namespace LatentBridge.Onnx.Model;

/// <summary>The fields of one message of an ONNX file, read one after the other. Nothing is copied; a damaged message ends in <see cref="InvalidDataException"/>.</summary>
/// <param name="bytes">The message; the wire format is described at <see cref="Export.OnnxMessage"/>.</param>
ref struct OnnxFields(ReadOnlySpan<byte> bytes)
{
    ReadOnlySpan<byte> _rest = bytes;

    /// <summary>The field's number in the schema.</summary>
    public int Number { get; private set; }

    /// <summary>An integer's value; 0 for other kinds.</summary>
    public long Value { get; private set; }

    /// <summary>A string, a message or packed numbers; a float's four bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    public readonly string Text => Encoding.UTF8.GetString(Bytes);

    public readonly float Single => Bytes.Length == sizeof(float) ? BinaryPrimitives.ReadSingleLittleEndian(Bytes) : throw Damaged();

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        ulong tag = ReadVarint();
        Number = (int)(tag >> 3);
        Value = 0;
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                Value = (long)ReadVarint();
                break;
            case 1:
                Bytes = Take(sizeof(double));
                break;
            case 2:
                Bytes = Take(ReadVarint());
                break;
            case 5:
                Bytes = Take(sizeof(float));
                break;
            default:
                throw Damaged();
        }

        return true;
    }

    /// <summary>Adds the field's integers to a list: one, or several packed.</summary>
    public readonly void AddTo(List<long> values)
    {
        if (Bytes.IsEmpty)
        {
            values.Add(Value);
            return;
        }

        OnnxFields packed = new(Bytes);
        while (!packed._rest.IsEmpty)
        {
            values.Add((long)packed.ReadVarint());
        }
    }

    ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
        {
            throw Damaged();
        }

        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }

    ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_rest.IsEmpty)
            {
                break;
            }

            byte next = _rest[0];
            _rest = _rest[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Damaged();
    }

    static InvalidDataException Damaged() => new("not an ONNX model, or a damaged one");
}
