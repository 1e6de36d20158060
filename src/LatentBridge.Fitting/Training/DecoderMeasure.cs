using LatentBridge.Decoders;
using LatentBridge.Imaging.Quality;

namespace LatentBridge.Fitting.Training;

/// <summary>How close a decoder's pictures are to the right ones, at one pixel per cell.</summary>
/// <param name="Psnr">dB over all cells of all pairs.</param>
/// <param name="Colour">Mean CIEDE2000 difference.</param>
public readonly record struct DecoderMeasure(double Psnr, double Colour)
{
    /// <summary>Measures a decoder with pairs.</summary>
    /// <param name="decoder">Of the pairs' channels.</param>
    /// <param name="pairs">At least one.</param>
    /// <param name="threads">At least 1.</param>
    /// <param name="cancellation">Looked at by the decoder.</param>
    public static DecoderMeasure Of(ILatentDecoder decoder, IReadOnlyList<PicturePair> pairs, int threads = 1, CancellationToken cancellation = default)
    {
        double squares = 0, colour = 0;
        long cells = 0;
        foreach (PicturePair pair in pairs)
        {
            byte[] right = pair.Reduce(1).Pixels;
            byte[] made = OneCellAPixel(decoder, pair, threads, cancellation);
            for (int i = 0; i < right.Length; i++)
            {
                double difference = made[i] - right[i];
                squares += difference * difference;
            }

            colour += ImageQuality.CieDe2000(made, right).Mean * (right.Length / 3);
            cells += right.Length / 3;
        }

        return new(Math.Min(99, -10 * Math.Log10(Math.Max(1e-12, squares / (3 * cells * 255.0 * 255)))), colour / cells);
    }

    static byte[] OneCellAPixel(ILatentDecoder decoder, PicturePair pair, int threads, CancellationToken cancellation)
    {
        int side = decoder.Description.PixelsPerCell;
        byte[] picture = new byte[3 * side * side * pair.Height * pair.Width];
        decoder.Decode(pair.Latent, picture, threads, cancellation);
        return (pair with { Pixels = picture, Side = side }).Reduce(1).Pixels;
    }
}
