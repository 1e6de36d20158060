using System.Buffers.Binary;
using System.Text;
using LatentBridge.Files;
using LatentBridge.Formats;

namespace LatentBridge.Scanning.Sources;

/// <summary>Latents of databases, which keep values and leave their axes to the reader.</summary>
static class RawLatent
{
    /// <summary>Reads values of known axes as a latent, as if they were an <c>.npy</c> file.</summary>
    public static LoadedLatent Load(string path, TensorElementType type, IReadOnlyList<long> axes, ReadOnlySpan<byte> values, LatentRequest request)
    {
        string header = $"{{'descr': '{(type == TensorElementType.F16 ? "<f2" : "<f4")}', 'fortran_order': False, 'shape': ({string.Join(", ", axes)},), }}\n";
        byte[] bytes = [.. NpyReader.Magic, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. Encoding.ASCII.GetBytes(header), .. values];
        return LoadFile(path, bytes, request);
    }

    /// <summary>Reads bytes that are a whole file of tensors, or the F16 (else F32) values of a square latent.</summary>
    public static LoadedLatent Load(string path, ReadOnlyMemory<byte> bytes, LatentRequest request)
    {
        if (IsFile(bytes.Span))
        {
            return LoadFile(path, bytes, request);
        }

        return Square(bytes.Length, 2, request) is { } halves ? Load(path, TensorElementType.F16, halves, bytes.Span, request)
            : Square(bytes.Length, 4, request) is { } floats ? Load(path, TensorElementType.F32, floats, bytes.Span, request)
            : throw NotSquare(path, $"{bytes.Length} bytes", request);
    }

    /// <summary>Reads the F32 values of a square latent.</summary>
    public static LoadedLatent LoadSquare(string path, ReadOnlySpan<byte> floats, LatentRequest request) =>
        Load(path, TensorElementType.F32, Square(floats.Length, 4, request) ?? throw NotSquare(path, $"{floats.Length / 4} values", request), floats, request);

    static LoadedLatent LoadFile(string path, ReadOnlyMemory<byte> bytes, LatentRequest request)
    {
        using var file = TensorFile.Parse(bytes, path);
        return LatentFile.Load(file, path, request with { Key = null });
    }

    static bool IsFile(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(NpyReader.Magic) || bytes.StartsWith("PK"u8)
        || (bytes.Length > 9 && bytes[8] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(bytes) < (ulong)bytes.Length);

    static long Channels(LatentRequest request) => request.FormatId is { } id ? LatentFormats.Get(id).StreamChannels : 4;

    /// <summary>[C,H,W] of the format that is named, else of 4 channels; null when the values are not that many.</summary>
    static long[]? Square(long byteLength, int elementSize, LatentRequest request)
    {
        long channels = Channels(request), side = (long)Math.Round(Math.Sqrt((double)byteLength / elementSize / channels));
        return side > 0 && side * side * channels * elementSize == byteLength ? [channels, side, side] : null;
    }

    static LatentBridgeException NotSquare(string path, string found, LatentRequest request) =>
        new($"{path}: {found} are no square latent of {Channels(request)} channels. Name the format with --format.");
}
