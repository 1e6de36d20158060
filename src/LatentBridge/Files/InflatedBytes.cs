using System.IO.Compression;

namespace LatentBridge.Files;

/// <summary>
/// A deflated part of a file, inflated as it is read from front to back; nothing of it is kept. Reading an earlier place begins anew.
/// </summary>
/// <remarks>One part of a file is being inflated at a time: another part, or an earlier place, lets that one go.</remarks>
sealed class InflatedBytes : TensorBytes
{
    const long MaximumLength = 1L << 30;

    // One byte of deflate gives at most 1032 bytes.
    const long MaximumRatio = 1032;
    const int ChunkLength = 1 << 14;

    readonly TensorBytes _deflated;
    readonly long _offset;
    readonly long _deflatedLength;

    public InflatedBytes(TensorBytes deflated, long offset, long deflatedLength, long length)
        : base(deflated.Name, length)
    {
        if (length > MaximumLength || length > (deflatedLength + 1) * MaximumRatio)
        {
            throw deflated.Bad($"a part of {deflatedLength} bytes claims to be {length} bytes when inflated; at most {MaximumLength} and {MaximumRatio} times its size are accepted. Save it uncompressed");
        }

        (_deflated, _offset, _deflatedLength) = (deflated, offset, deflatedLength);
    }

    protected override void ReadCore(long offset, Span<byte> destination)
    {
        lock (_deflated.Inflating)
        {
            InflatingPart part = _deflated.Inflating;
            try
            {
                if (part.Owner != this || part.Position > offset)
                {
                    part.Begin(this, new(new BytesStream(_deflated, _offset, _deflatedLength), CompressionMode.Decompress));
                }

                Span<byte> passed = stackalloc byte[(int)Math.Min(ChunkLength, offset - part.Position)];
                while (part.Position < offset)
                {
                    Fill(part, passed[..(int)Math.Min(passed.Length, offset - part.Position)]);
                }

                Fill(part, destination);
                if (part.Position == Length)
                {
                    part.End();
                }
            }
            catch (InvalidDataException e)
            {
                part.End();
                throw Bad($"a compressed part cannot be inflated ({e.Message.TrimEnd('.')}). The file is damaged; copy or download it again", e);
            }
        }
    }

    void Fill(InflatingPart part, Span<byte> destination)
    {
        int read = part.Stream!.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
        part.Position += read;
        if (read < destination.Length)
        {
            long found = part.Position;
            part.End();
            throw Bad($"a compressed part ends after {found} of {Length} bytes. The file is cut off or damaged; copy or download it again");
        }
    }
}

/// <summary>The one part of a file that is being inflated, and how far.</summary>
sealed class InflatingPart : IDisposable
{
    public InflatedBytes? Owner { get; private set; }

    public DeflateStream? Stream { get; private set; }

    public long Position { get; set; }

    public void Begin(InflatedBytes owner, DeflateStream stream)
    {
        End();
        (Owner, Stream, Position) = (owner, stream, 0);
    }

    public void End()
    {
        Stream?.Dispose();
        (Owner, Stream, Position) = (null, null, 0);
    }

    public void Dispose() => End();
}
