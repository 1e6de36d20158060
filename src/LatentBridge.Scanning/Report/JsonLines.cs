namespace LatentBridge.Scanning.Report;

/// <summary>Reads a file line by line, with the place of each.</summary>
static class JsonLines
{
    const int MaximumLength = 1 << 22;

    /// <summary>Whole lines without their line feed; a last line without one is left out: its writer was ended in the middle.</summary>
    /// <exception cref="LatentBridgeException">A line is longer than 4 MiB.</exception>
    public static IEnumerable<(long Offset, ReadOnlyMemory<byte> Line)> Read(Stream file)
    {
        byte[] buffer = new byte[1 << 16];
        long offset = file.Position;
        int start = 0, end = 0;
        while (true)
        {
            int length = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            if (length >= 0)
            {
                yield return (offset, buffer.AsMemory(start, length));
                start += length + 1;
                offset += length + 1;
                continue;
            }

            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            if (end == buffer.Length)
            {
                if (buffer.Length == MaximumLength)
                {
                    throw new LatentBridgeException($"A line of more than {MaximumLength} bytes: this is no report of a scan.");
                }

                Array.Resize(ref buffer, 2 * buffer.Length);
            }

            int read = file.Read(buffer, end, buffer.Length - end);
            if (read == 0)
            {
                yield break;
            }

            end += read;
        }
    }
}
