using System.IO.Compression;

namespace LatentBridge.Files;

/// <summary>A file that gzip compressed (<c>.npy.gz</c>, SimpleTuner's <c>.pt</c>), inflated into memory of just its length.</summary>
sealed class GzipBytes : TensorBytes
{
    const long MaximumLength = 1L << 30;
    const int ChunkLength = 1 << 16;

    readonly TensorBytes _compressed;
    readonly byte[] _inflated;

    public GzipBytes(TensorBytes compressed)
        : base(compressed.Name, Measure(compressed))
    {
        _compressed = compressed;
        _inflated = new byte[Length];
        using var stream = new GZipStream(new BytesStream(compressed, 0, compressed.Length), CompressionMode.Decompress);
        stream.ReadExactly(_inflated);
    }

    /// <summary>Whether the bytes begin as gzip's do.</summary>
    public static bool IsGzip(TensorBytes bytes)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(3, bytes.Length)];
        bytes.Read(0, start);
        return start is [0x1F, 0x8B, 8];
    }

    public override void Dispose()
    {
        _compressed.Dispose();
        base.Dispose();
    }

    protected override void ReadCore(long offset, Span<byte> destination) => _inflated.AsSpan((int)offset, destination.Length).CopyTo(destination);

    // Inflated twice, so that a file that lies about its length costs time and no memory.
    static long Measure(TensorBytes compressed)
    {
        long length = 0;
        byte[] chunk = new byte[ChunkLength];
        try
        {
            using var stream = new GZipStream(new BytesStream(compressed, 0, compressed.Length), CompressionMode.Decompress);
            for (int read = stream.Read(chunk); read > 0; read = stream.Read(chunk))
            {
                length += read;
                if (length > MaximumLength)
                {
                    throw compressed.Bad($"is compressed by gzip and has more than {MaximumLength} bytes inside. Unpack it first");
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw compressed.Bad($"is compressed by gzip and cannot be inflated ({e.Message.TrimEnd('.')}). The file is cut off or damaged; copy or download it again", e);
        }

        return length;
    }
}
