namespace LatentBridge.ImageSharp;

/// <summary>A caller's memory as a stream to write to; what does not fit is counted and dropped.</summary>
/// <param name="start">Must stay where it is until the last write.</param>
/// <param name="capacity">In bytes.</param>
sealed unsafe class DestinationStream(byte* start, long capacity) : Stream
{
    long _length;
    long _position;

    public override bool CanRead => false;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    /// <summary>Bytes written, those that did not fit among them.</summary>
    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_position + buffer.Length <= capacity)
        {
            buffer.CopyTo(new Span<byte>(start + _position, buffer.Length));
        }

        _position += buffer.Length;
        _length = Math.Max(_length, _position);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write(new ReadOnlySpan<byte>(in value));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + (origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => _position,
        _ => _length,
    });

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
