using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>Tries a decoder on small latents of zeros until its time settles: first a few cells, then as many as take some milliseconds.</summary>
static class DecoderTrial
{
    const double TrialMilliseconds = 10;
    const double TrialsMilliseconds = 100;
    const int MaximumTrials = 8;

    /// <summary>The first trial mostly measures the compiler.</summary>
    const int MinimumTrials = 3;
    const int MinimumSide = 8;
    const int MaximumSide = 64;

    /// <summary>A trial that took at least this share of the one before shows that the code is compiled and the caches are warm.</summary>
    const double SettledShare = 0.8;

    static readonly PreviewOptions OnOneThread = new() { Threads = 1 };

    /// <summary>What one decode of a square of cells took, and how many cells it had.</summary>
    public readonly record struct Sample(double Milliseconds, long Cells);

    /// <summary>Milliseconds of one cell on one thread, decode and encode.</summary>
    public static double MillisecondsPerCell(ILatentDecoder decoder, LatentFormat format, TimeProvider time)
    {
        using var renderer = new PreviewRenderer(format);
        return MillisecondsPerCell(side => DecodeZeros(renderer, decoder, side), time);
    }

    /// <summary>Milliseconds of one cell, from decodes of squares of the sides that are asked for.</summary>
    public static double MillisecondsPerCell(Func<int, Sample> decode, TimeProvider time)
    {
        double perCell = double.MaxValue;
        double last = double.MaxValue;
        int side = MinimumSide;
        long started = time.GetTimestamp();
        for (int i = 0; i < MaximumTrials && (i < MinimumTrials || time.GetElapsedTime(started).TotalMilliseconds < TrialsMilliseconds); i++)
        {
            Sample sample = decode(side);
            perCell = Math.Min(perCell, sample.Milliseconds / sample.Cells);
            int wanted = (int)Math.Clamp(Math.Sqrt(TrialMilliseconds / perCell), MinimumSide, MaximumSide) / 4 * 4;
            if (wanted <= side && sample.Milliseconds > last * SettledShare)
            {
                break;
            }

            last = wanted <= side ? sample.Milliseconds : double.MaxValue;
            side = Math.Max(side, wanted);
        }

        return perCell;
    }

    static Sample DecodeZeros(PreviewRenderer renderer, ILatentDecoder decoder, int side)
    {
        LatentFormat format = renderer.Format;
        LatentShape shape = format.Dimensions == 1
            ? new(1, format.StreamChannels, 1, 1, side * side)
            : new(1, format.StreamChannels, 1, side / format.Unpack, side / format.Unpack);
        renderer.Stage(new Latent(new byte[shape.Length * sizeof(float)], LatentElementType.F32, shape), OnOneThread);
        int pixels = Math.Max(side * decoder.Description.PixelsPerCell, format.CellsPerSecond > 0 ? PreviewRenderer.UsualStripSide : 0);
        PreviewResult result = renderer.Render(decoder, OnOneThread, new byte[PngEncoder.MaximumLength(pixels, pixels, 3)], CancellationToken.None);
        return new(result.DecodeMilliseconds + result.EncodeMilliseconds, (long)renderer.PlaneHeight * renderer.PlaneWidth);
    }
}
