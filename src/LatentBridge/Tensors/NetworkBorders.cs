using System.Runtime.CompilerServices;

namespace LatentBridge.Tensors;

/// <summary>The first layer: planes of floats, or the bytes of an RGB picture, into a ring of pixels.</summary>
sealed unsafe class NetworkInput : RowLayer
{
    readonly RowRing _ring;
    readonly int _channels;
    readonly bool _clamps;

    public NetworkInput(RowRing ring, int channels, bool clamps)
        : base(ring.Height, ring)
    {
        _ring = ring;
        _channels = channels;
        _clamps = clamps;
        StepRows = RowsOf(2048, ring.Width);
    }

    /// <summary>Planes [channel][row][column], or null.</summary>
    public float* Planes { get; set; }

    /// <summary>RGB24 pixels, read as 0..1, or null.</summary>
    public byte* Pixels { get; set; }

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        for (int y = first; y < end; y++)
        {
            float* row = _ring.Row(y);
            for (int c = 0; c < _channels; c++)
            {
                if (Pixels != null)
                {
                    ReadBytes(Pixels + (((long)y * _ring.Width * _channels) + c), row + c);
                }
                else
                {
                    ReadFloats(Planes + ((((long)c * _ring.Height) + y) * _ring.Width), row + c);
                }
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

    void ReadFloats(float* source, float* destination)
    {
        for (int x = 0; x < _ring.Width; x++, destination += _ring.Channels)
        {
            *destination = _clamps ? 3 * MathF.Tanh(source[x] / 3) : source[x];
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

    public NetworkOutput(RowRing ring, int channels, int side)
        : base(ring.Height, null)
    {
        _ring = ring;
        _channels = channels;
        _side = side;
        StepRows = RowsOf(2048, ring.Width);
        Reads(ring, RowReach.Same);
    }

    /// <summary>Planes [channel][row][column], or null.</summary>
    public float* Planes { get; set; }

    /// <summary>RGB24 pixels, or null.</summary>
    public byte* Pixels { get; set; }

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int run = _side * _channels;
        for (int y = first; y < end; y++)
        {
            for (int dy = 0; dy < _side; dy++)
            {
                long pictureRow = ((long)y * _side) + dy;
                float* source = _ring.Row(y) + (dy * run);
                if (Pixels != null)
                {
                    WriteBytes(source, run, Pixels + (pictureRow * _ring.Width * run));
                }
                else
                {
                    WriteFloats(source, pictureRow);
                }
            }
        }
    }

    /// <summary>0..1 to 0..255: clamped, rounded half up, NaN to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static byte ToByte(float value) => (byte)(Math.Min(Math.Max(value >= 0 ? value : 0, 0), 1) * 255 + 0.5f);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void WriteBytes(float* source, int run, byte* destination)
    {
        for (int x = 0; x < _ring.Width; x++, source += _ring.Channels, destination += run)
        {
            for (int i = 0; i < run; i++)
            {
                destination[i] = ToByte(source[i]);
            }
        }
    }

    void WriteFloats(float* source, long pictureRow)
    {
        long width = (long)_ring.Width * _side, plane = width * _ring.Height * _side;
        for (long x = 0; x < width; x++)
        {
            float* pixel = source + (x / _side * _ring.Channels) + (x % _side * _channels);
            for (int c = 0; c < _channels; c++)
            {
                Planes[(c * plane) + (pictureRow * width) + x] = pixel[c];
            }
        }
    }
}
