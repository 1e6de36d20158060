using LatentBridge.Simd;

namespace LatentBridge.Fitting.Training;

/// <summary>One layer's values for a batch of crops, [crop][row][pixel][channel], with zeros around each crop.</summary>
/// <remarks>
/// One zero pixel behind each row, one row of zeros behind each crop, and as many before the first: every neighbour of every pixel lies at a fixed distance, so a
/// convolution runs over all pixels in one go. What it writes between the crops is made zero again.
/// <code>
///   0 0 0 0 0      before the first crop
///   a a a a 0      crop a, rows of 4 pixels
///   a a a a 0
///   0 0 0 0 0      its last row, and the one before crop b
///   b b b b 0
/// </code>
/// </remarks>
sealed unsafe class PaddedBatch : IDisposable
{
    /// <summary>Channels are filled up to whole panels of every vector width.</summary>
    const int PanelChannels = 32;

    readonly NativeBuffer _buffer;

    public PaddedBatch(int crops, int side, int channels)
    {
        (Crops, Side, Channels) = (crops, side, (channels + PanelChannels - 1) / PanelChannels * PanelChannels);
        RowPixels = side + 1;
        PixelCount = crops * (side + 1) * RowPixels;
        _buffer = new NativeBuffer((long)(PixelCount + (2 * (RowPixels + 1)) + ConvolutionKernel.Rows) * Channels);
    }

    public int Crops { get; }

    /// <summary>Rows and columns of a crop.</summary>
    public int Side { get; }

    /// <summary>Floats of a pixel.</summary>
    public int Channels { get; }

    /// <summary>Pixels from one row to the next.</summary>
    public int RowPixels { get; }

    /// <summary>Pixels from the first crop's first on, those between the crops among them.</summary>
    public int PixelCount { get; }

    /// <summary>The first crop's first pixel.</summary>
    public float* Pixels => _buffer.Pointer + ((long)(RowPixels + 1) * Channels);

    /// <summary>Pixel 0 of a row of a crop.</summary>
    public float* Row(int crop, int y) => Pixels + ((((long)crop * (Side + 1)) + y) * RowPixels * Channels);

    public Span<float> Values => new(Pixels, PixelCount * Channels);

    /// <summary>Distance of a tap's pixel, in floats.</summary>
    public nint Offset(int tap) => (nint)((((tap / 3) - 1) * RowPixels) + (tap % 3) - 1) * Channels;

    /// <summary>Makes what lies between the crops, and behind the last, zero.</summary>
    public void ClearBorders()
    {
        for (int crop = 0; crop < Crops; crop++)
        {
            for (int y = 0; y < Side; y++)
            {
                new Span<float>(Row(crop, y) + ((long)Side * Channels), Channels).Clear();
            }

            new Span<float>(Row(crop, Side), RowPixels * Channels).Clear();
        }

        new Span<float>(Pixels + ((long)PixelCount * Channels), (RowPixels + 1 + ConvolutionKernel.Rows) * Channels).Clear();
    }

    public void Dispose() => _buffer.Dispose();
}
