using LatentBridge.Ipc;

namespace LatentBridge.Host;

/// <summary>Cuts a byte stream into lines. Allocates nothing for lines below 64 KiB after the first.</summary>
sealed class LineReader(Stream input)
{
    const int KeptLength = 1 << 16;

    byte[] _buffer = new byte[4096];
    int _start;
    int _end;

    /// <summary>The line that <see cref="Next"/> found was longer than a line may be; it was skipped and is empty.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>The next line, without its line feed; valid until the next call.</summary>
    /// <returns>False at the end of the stream; what stands there without a line feed is no line.</returns>
    public bool Next(out ReadOnlySpan<byte> line)
    {
        IsTooLong = false;
        int searched = _start;
        while (true)
        {
            int feed = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            int length = (feed >= 0 ? searched + feed : _end) - _start;
            IsTooLong |= length > Protocol.MaximumLineLength;
            if (feed >= 0)
            {
                line = IsTooLong ? default : _buffer.AsSpan(_start, searched + feed - _start);
                _start = searched + feed + 1;
                return true;
            }

            if (IsTooLong)
            {
                _start = _end;
            }

            MakeRoom();
            searched = _end;
            int read = input.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
            {
                line = default;
                return false;
            }

            _end += read;
        }
    }

    void MakeRoom()
    {
        int length = _end - _start;
        byte[] room = length == _buffer.Length ? new byte[length * 2]
            : _buffer.Length > KeptLength && length < KeptLength / 2 ? new byte[KeptLength]
            : _buffer;
        _buffer.AsSpan(_start, length).CopyTo(room);
        (_buffer, _start, _end) = (room, 0, length);
    }
}
