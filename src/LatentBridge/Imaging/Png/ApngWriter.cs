using System.Buffers.Binary;

namespace LatentBridge.Imaging.Png;

/// <summary>Joins PNG files of one size and kind to an animated PNG. Programs that do not know animations show the first.</summary>
/// <remarks>
/// <code>
/// signature IHDR acTL  fcTL IDAT...  fcTL fdAT...  fcTL fdAT...  IEND
/// </code>
/// The compressed pixels are taken over as they are: fdAT is IDAT with a sequence number before it.
/// </remarks>
static class ApngWriter
{
    const int FrameControlLength = 26;

    /// <summary>Makes the animation.</summary>
    /// <param name="frames">At least one; all of the same width, height and channels, as <see cref="PngEncoder"/> writes them.</param>
    /// <param name="plays">How many times it runs; 0 is for ever.</param>
    /// <exception cref="ArgumentException">There is no frame, or a delay or <paramref name="plays"/> is out of range.</exception>
    /// <exception cref="LatentBridgeException">A frame is no intact PNG file, has a palette, or is of another size or kind than the
    /// first.</exception>
    public static byte[] Write(IReadOnlyList<ApngFrame> frames, int plays = 0)
    {
        ArgumentNullException.ThrowIfNull(frames);
        ArgumentOutOfRangeException.ThrowIfNegative(plays);
        if (frames.Count == 0)
        {
            throw new ArgumentException("An animation needs at least one frame.", nameof(frames));
        }

        using var file = new MemoryStream();
        file.Write(PngChunks.Signature);
        ReadOnlySpan<byte> first = HeaderOf(frames[0]);
        PngHeader header = PngHeader.Parse(first);
        WriteChunk(file, "IHDR"u8, first);

        Span<byte> control = stackalloc byte[FrameControlLength];
        BinaryPrimitives.WriteInt32BigEndian(control, frames.Count);
        BinaryPrimitives.WriteInt32BigEndian(control[4..], plays);
        WriteChunk(file, "acTL"u8, control[..8]);

        int sequence = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            ReadOnlySpan<byte> its = HeaderOf(frames[i]);
            if (!its.SequenceEqual(first) || header.ColorType == PngColorType.Palette)
            {
                PngHeader other = PngHeader.Parse(its);
                throw new LatentBridgeException(
                    $"Frame {i} of the animation is {other.Width}x{other.Height} {other.ColorType}, "
                    + $"the first {header.Width}x{header.Height} {header.ColorType}; they must be alike and without a palette.");
            }

            control.Clear();
            BinaryPrimitives.WriteInt32BigEndian(control, sequence++);
            BinaryPrimitives.WriteInt32BigEndian(control[4..], header.Width);
            BinaryPrimitives.WriteInt32BigEndian(control[8..], header.Height);
            WriteDelay(control[20..], frames[i].DelayMilliseconds);
            WriteChunk(file, "fcTL"u8, control);
            sequence = WriteData(file, frames[i], i == 0, sequence);
        }

        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    /// <summary>A fraction of a second in two 16-bit numbers: milliseconds, or seconds where those do not fit.</summary>
    static void WriteDelay(Span<byte> delay, int milliseconds)
    {
        if (milliseconds is < 0 or > 65_535_000)
        {
            throw new ArgumentException($"A frame stays for {milliseconds} ms; 0 to 65,535,000 can be written.", nameof(milliseconds));
        }

        bool fits = milliseconds <= ushort.MaxValue;
        BinaryPrimitives.WriteUInt16BigEndian(delay, (ushort)(fits ? milliseconds : milliseconds / 1000));
        BinaryPrimitives.WriteUInt16BigEndian(delay[2..], (ushort)(fits ? 1000 : 1));
    }

    static ReadOnlySpan<byte> HeaderOf(ApngFrame frame)
    {
        var chunks = new PngChunks(frame.Png.Span);
        return chunks.Next() && chunks.Type.SequenceEqual("IHDR"u8)
            ? chunks.Content
            : throw new LatentBridgeException("A frame of the animation is a damaged PNG file: it does not begin with IHDR.");
    }

    static int WriteData(MemoryStream file, ApngFrame frame, bool first, int sequence)
    {
        var chunks = new PngChunks(frame.Png.Span);
        Span<byte> number = stackalloc byte[4];
        bool any = false;
        while (chunks.Next())
        {
            if (!chunks.Type.SequenceEqual("IDAT"u8))
            {
                continue;
            }

            any = true;
            if (first)
            {
                WriteChunk(file, "IDAT"u8, chunks.Content);
            }
            else
            {
                BinaryPrimitives.WriteInt32BigEndian(number, sequence++);
                WriteChunk(file, "fdAT"u8, number, chunks.Content);
            }
        }

        return any ? sequence : throw new LatentBridgeException("A frame of the animation is a damaged PNG file: it has no IDAT.");
    }

    static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> content, ReadOnlySpan<byte> more = default)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length + more.Length);
        file.Write(number);
        file.Write(type);
        file.Write(content);
        file.Write(more);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.Append(Crc32.Append(Crc32.Append(0, type), content), more));
        file.Write(number);
    }
}
