namespace LatentBridge.Scanning.Sources;

/// <summary>A Parquet file as its library may read it: pages only where <see cref="ParquetLayout"/> found them, and an end that is an error instead of bytes of 255 for ever.</summary>
sealed class ParquetPages(Stream file) : Stream
{
    /// <summary>Where pages begin; null: anywhere.</summary>
    public IReadOnlySet<long>? Begins { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => file.Length;

    public override long Position
    {
        get => file.Position;
        set => file.Position = value;
    }

    public override long Seek(long offset, SeekOrigin origin) => origin != SeekOrigin.Begin || Begins is null || Begins.Contains(offset)
        ? file.Seek(offset, origin)
        : throw new InvalidDataException("a column has fewer values than it says");

    public override int ReadByte() => file.ReadByte() is var value and >= 0 ? value : throw new EndOfStreamException("it ends too early");

    public override int Read(byte[] buffer, int offset, int count) => file.Read(buffer, offset, count);

    public override int Read(Span<byte> buffer) => file.Read(buffer);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
