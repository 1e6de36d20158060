using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LatentBridge.Networks;

/// <summary>The first layer: planes of floats, or the bytes of an RGB picture, into a ring of pixels.</summary>
sealed unsafe class NetworkInput : RowLayer
{
    readonly RowRing _ring;
    readonly int _channels;
    readonly NetworkKernels? _clamp;
    float* _planes;
    byte* _pixels;
    int _columns;

    /// <param name="ring">Where the pixels go.</param>
    /// <param name="channels">How many planes there are; the ring's further channels stay zero.</param>
    /// <param name="clamp">Does 3 tanh(x / 3); null if the network does not ask for it.</param>
    public NetworkInput(RowRing ring, int channels, NetworkKernels? clamp)
        : base(ring.Height, ring)
    {
        _ring = ring;
        _channels = channels;
        _clamp = clamp;
        StepRows = RowsOf(4096, ring.Width);
    }

    // Room for a row and the rest of a vector.
    public override long ScratchLength => _ring.Width + 16;

    /// <summary>Column of the picture that the ring's first one is.</summary>
    public int Column { get; set; }

    /// <summary>Reads from planes [channel][row][column], or from RGB24 pixels as 0..1, of this many columns.</summary>
    public void Begin(float* planes, byte* pixels, int columns)
    {
        _planes = planes;
        _pixels = pixels;
        _columns = columns;
    }

    public override int Parts(int first, int end) => end - first;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int y = first + part;
        float* row = _ring.Row(y);
        for (int c = 0; c < _channels; c++)
        {
            if (_pixels != null)
            {
                ReadBytes(_pixels + ((((long)y * _columns) + Column) * _channels) + c, row + c);
            }
            else
            {
                ReadFloats(_planes + ((((long)c * _ring.Height) + y) * _columns) + Column, row + c, workspace.Scratch);
            }
        }
    }

    void ReadBytes(byte* source, float* destination)
    {
        for (int x = 0; x < _ring.Width; x++, source += _channels, destination += _ring.Channels)
        {
            *destination = *source / 255f;
        }
    }

    void ReadFloats(float* source, float* destination, float* scratch)
    {
        if (_clamp is not null)
        {
            new ReadOnlySpan<float>(source, _ring.Width).CopyTo(new Span<float>(scratch, _ring.Width));
            _clamp.Clamp(scratch, _ring.Width);
            source = scratch;
        }

        for (int x = 0; x < _ring.Width; x++, destination += _ring.Channels)
        {
            *destination = source[x];
        }
    }
}

/// <summary>The last layer: a ring of pixels into planes of floats, or into the bytes of an RGB picture.</summary>
/// <remarks>
/// A ring pixel holds <c>side</c> x <c>side</c> picture pixels, [dy][dx][colour] (the order that
/// <see cref="NetworkEngine"/> gives the last convolution), so each of its rows is one run of the picture's.
/// </remarks>
sealed unsafe class NetworkOutput : RowLayer
{
    readonly RowRing _ring;
    readonly int _channels;
    readonly int _side;
    float* _planes;
    byte* _pixels;
    int _columns;
    int _from;
    int _first;
    int _end;

    public NetworkOutput(RowRing ring, int channels, int side)
        : base(ring.Height, null)
    {
        _ring = ring;
        _channels = channels;
        _side = side;
        StepRows = RowsOf(4096, ring.Width);
        Reads(ring, RowReach.Same);
    }

    /// <summary>Writes planes [channel][row][column], or RGB24 pixels, of a picture of this many ring columns.</summary>
    public void Begin(float* planes, byte* pixels, int columns)
    {
        _planes = planes;
        _pixels = pixels;
        _columns = columns;
    }

    public override int Parts(int first, int end) => end - first;

    /// <summary>From ring column <paramref name="from"/> on, writes the picture's columns <paramref name="first"/> to <paramref name="end"/> - 1.</summary>
    public void Cut(int from, int first, int end)
    {
        _from = from;
        _first = first;
        _end = end;
    }

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int run = _side * _channels, y = first + part;
        for (int dy = 0; dy < _side; dy++)
        {
            long pictureRow = ((long)y * _side) + dy;
            float* source = _ring.Row(y) + ((long)_from * _ring.Channels) + (dy * run);
            if (_pixels != null)
            {
                WriteBytes(source, run, _pixels + (((pictureRow * _columns) + _first) * run));
            }
            else
            {
                WriteFloats(source, pictureRow);
            }
        }
    }

    // 0..1 to 0..255: clamped, rounded half up, NaN to 0. Four values at a time; a ring pixel has room for the fourth of an RGB.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void WriteBytes(float* source, int run, byte* destination)
    {
        for (int x = _first; x < _end; x++, source += _ring.Channels, destination += run)
        {
            for (int i = 0; i < run; i += 4)
            {
                Vector128<float> value = Vector128.Min(Vector128.Max(Vector128.Load(source + i), Vector128<float>.Zero), Vector128<float>.One);
                Vector128<int> level = Vector128.ConvertToInt32((value * 255) + Vector128.Create(0.5f));
                uint four = Vector128.Narrow(Vector128.Narrow(level, level).AsUInt16(), Vector128<ushort>.Zero).AsUInt32()[0];
                if (run - i >= 4)
                {
                    Unsafe.WriteUnaligned(destination + i, four);
                }
                else
                {
                    for (int rest = i; rest < run; rest++, four >>= 8)
                    {
                        destination[rest] = (byte)four;
                    }
                }
            }
        }
    }

    void WriteFloats(float* source, long pictureRow)
    {
        long width = (long)_columns * _side, plane = width * _ring.Height * _side;
        float* destination = _planes + (pictureRow * width) + ((long)_first * _side);
        for (long x = 0; x < (long)(_end - _first) * _side; x++)
        {
            float* pixel = source + (x / _side * _ring.Channels) + (x % _side * _channels);
            for (int c = 0; c < _channels; c++)
            {
                destination[(c * plane) + x] = pixel[c];
            }
        }
    }
}
