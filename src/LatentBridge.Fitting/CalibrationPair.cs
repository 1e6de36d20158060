using LatentBridge.Fitting.Training;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;

namespace LatentBridge.Fitting;

/// <summary>A latent and the picture that a VAE made of it, cell by cell: what a <see cref="Calibration"/> learns from.</summary>
/// <remarks>
/// It comes as one latent of 12 channels more than the format's: behind the latent's own are the picture's red, green and blue in -1..1,
/// each averaged over the four quarters of a cell and packed as FLUX.2 packs its cells (channel 4 c + 2 dy + dx), because a cell of
/// FLUX.2 holds 2 x 2 for the decoders.
/// </remarks>
public sealed class CalibrationPair
{
    /// <summary>Channels behind those of the latent.</summary>
    public const int PictureChannels = 12;

    /// <summary>Cells a pair must have at least: a latent of 16 x 16.</summary>
    public const int MinimumCells = 256;

    const float LargestValue = 100;

    /// <summary>Root of the mean square distance from the mean colour, in -1..1: two steps of a byte.</summary>
    const double SmallestDeviation = 2 / 127.5;

    static readonly LatentFormat Picture = new()
    {
        Id = "picture",
        Source = "none",
        Channels = PictureChannels,
        StreamChannels = PictureChannels,
        Dimensions = 2,
        SpatialCompression = 1,
        TemporalCompression = 1,
        Unpack = 2,
        Process = LatentProcess.Unknown,
    };

    CalibrationPair(PicturePair picture, byte[] rgb) => (WithPicture, Rgb) = (picture, rgb);

    /// <summary>The latent as decoders read it.</summary>
    public LatentPlanes Latent => new(Planes, Channels, Height, Width);

    /// <summary>The colour of each cell, RGB24.</summary>
    public ReadOnlyMemory<byte> Colours => Rgb;

    /// <summary>The same with the picture as it came: two pixels per cell and side, one where a cell of the format holds several.</summary>
    public PicturePair WithPicture { get; }

    internal float[] Planes => WithPicture.Planes;

    internal byte[] Rgb { get; }

    internal int Channels => WithPicture.Channels;

    internal int Height => WithPicture.Height;

    internal int Width => WithPicture.Width;

    /// <summary>Reads a pair, in the sampler's scale; afterwards the caller's memory is free.</summary>
    /// <param name="bytes">The elements of <c>[1, C + 12, H, W]</c>.</param>
    /// <param name="elementType">What an element is.</param>
    /// <param name="axes">The axes, outermost first.</param>
    /// <param name="format">The latent's format.</param>
    /// <exception cref="LatentBridgeException">Nothing can be learned from it; the message says why.</exception>
    public static CalibrationPair Read(ReadOnlySpan<byte> bytes, LatentElementType elementType, ReadOnlySpan<long> axes, LatentFormat format)
    {
        if (format.PixelSpace || format.Dimensions == 1)
        {
            throw new LatentBridgeException($"Latents of format {format.Id} are {(format.PixelSpace ? "pictures already" : "no pictures")}: there is nothing to learn.");
        }

        if (LatentShape.FromDimensions(axes, 2, out LatentShape shape) is { } problem)
        {
            throw new LatentBridgeException($"The pair does not fit: {problem}.");
        }

        int channels = shape.Channels - PictureChannels;
        if (shape.Batch != 1 || shape.Frames != 1 || channels < 1 || shape.PlaneLength < MinimumCells)
        {
            throw new LatentBridgeException($"The pair is {shape}; expected one latent of at least {MinimumCells} cells, followed by {PictureChannels} picture channels.");
        }

        int split = channels * shape.PlaneLength * elementType.ByteLength();
        LatentStaging latent = Take(bytes[..split], elementType, shape with { Channels = channels }, format);
        LatentStaging picture = Take(bytes[split..], elementType, shape with { Channels = PictureChannels }, Picture);
        float[] planes = latent.Planes(0).Values.ToArray();
        if (planes.AsSpan().IndexOfAnyExceptInRange(-LargestValue, LargestValue) is var odd and >= 0)
        {
            throw new LatentBridgeException($"Value {odd} of the latent is {planes[odd]}; the sampler's scale, within {LargestValue} of 0, was expected.");
        }

        byte[] rgb = Average(picture.Planes(0), latent.Height, latent.Width);
        if (Math.Sqrt(Scatter(rgb) / rgb.Length) < SmallestDeviation)
        {
            throw new LatentBridgeException("The picture has only one colour, so nothing can be learned from it. A VAE in half precision that overflows gives black pictures.");
        }

        LatentPlanes pixels = picture.Planes(0);
        return new(new(planes, latent.Channels, latent.Height, latent.Width, Bytes(pixels), pixels.Width / latent.Width), rgb);
    }

    static LatentStaging Take(ReadOnlySpan<byte> bytes, LatentElementType elementType, LatentShape shape, LatentFormat format)
    {
        LatentStaging staging = new(format);
        staging.Take(new(bytes, elementType, shape), PreviewOptions.Default, Kernel.Width);
        return staging.NonFiniteCount == 0 ? staging
            : throw new LatentBridgeException($"{staging.NonFiniteCount} values of the {(format == Picture ? "picture" : "latent")} are NaN or infinite: nothing was learned.");
    }

    /// <summary>Planes [3, 2 H, 2 W] or [3, H, W] to RGB24 of H x W.</summary>
    static byte[] Average(LatentPlanes picture, int height, int width)
    {
        int side = picture.Height / height;
        byte[] rgb = new byte[3 * height * width];
        for (int i = 0; i < rgb.Length; i++)
        {
            (int y, int x) = Math.DivRem(i / 3, width);
            float sum = 0;
            for (int dy = 0; dy < side; dy++)
            {
                for (int dx = 0; dx < side; dx++)
                {
                    sum += Math.Clamp(picture.Values[(((((i % 3) * picture.Height) + (y * side) + dy)) * picture.Width) + (x * side) + dx], -1, 1);
                }
            }

            rgb[i] = (byte)((sum / (side * side) * 127.5f) + 128);
        }

        return rgb;
    }

    /// <summary>Planes [3, H, W] in -1..1 to RGB24.</summary>
    static byte[] Bytes(LatentPlanes picture)
    {
        int plane = picture.Height * picture.Width;
        byte[] rgb = new byte[3 * plane];
        for (int i = 0; i < rgb.Length; i++)
        {
            rgb[i] = (byte)((Math.Clamp(picture.Values[(i % 3 * plane) + (i / 3)], -1, 1) * 127.5f) + 128);
        }

        return rgb;
    }

    /// <summary>Squared distances from the mean colour, in -1..1.</summary>
    internal static double Scatter(ReadOnlySpan<byte> rgb)
    {
        double scatter = 0;
        for (int colour = 0; colour < 3; colour++)
        {
            double sum = 0, squares = 0;
            for (int i = colour; i < rgb.Length; i += 3)
            {
                sum += rgb[i];
                squares += rgb[i] * rgb[i];
            }

            scatter += Math.Max(0, squares - (sum * sum / (rgb.Length / 3)));
        }

        return scatter / (127.5 * 127.5);
    }
}
