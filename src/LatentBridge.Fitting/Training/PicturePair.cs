using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;

namespace LatentBridge.Fitting.Training;

/// <summary>A latent and its picture: what a network learns from, and is measured with.</summary>
/// <param name="Planes">The latent in the sampler's scale, [C,H,W].</param>
/// <param name="Channels">Of the latent.</param>
/// <param name="Height">In cells.</param>
/// <param name="Width">In cells.</param>
/// <param name="Pixels">The picture, RGB24, <paramref name="Side"/> times as high and wide as the latent.</param>
/// <param name="Side">Pixels per cell and side.</param>
public sealed record PicturePair(float[] Planes, int Channels, int Height, int Width, byte[] Pixels, int Side)
{
    /// <summary>Root of the mean square distance from the mean colour, as a share of the range, below which a picture is one flat colour: two steps of a byte.</summary>
    const double SmallestDeviation = 2 / 255.0;

    /// <summary>Values beyond are no latent at the sampler's scale.</summary>
    const float LargestValue = 100;

    /// <summary>The latent as decoders read it.</summary>
    public LatentPlanes Latent => new(Planes, Channels, Height, Width);

    /// <summary>Why nothing can be learned from it, as a sentence; null when something can.</summary>
    internal string? Problem =>
        Planes.AsSpan().IndexOfAnyExceptInRange(-LargestValue, LargestValue) is var odd and >= 0
            ? $"Value {odd} of the latent is {Planes[odd]}; the sampler's scale, within {LargestValue} of 0, was expected."
        : Deviation() < SmallestDeviation
            ? "The picture has only one colour. A VAE in half precision that overflows gives black pictures."
        : null;

    /// <summary>The same with a smaller picture, each pixel the mean of those it covers.</summary>
    internal PicturePair Reduce(int side)
    {
        if (side == Side)
        {
            return this;
        }

        byte[] pixels = new byte[3 * side * side * Height * Width];
        new ImageScaler().Scale(Pixels, Width * Side, Height * Side, pixels, Width * side, Height * side, ImageScaling.Smooth);
        return this with { Pixels = pixels, Side = side };
    }

    /// <summary>Its middle, where it has more cells.</summary>
    internal PicturePair Middle(int largestSide)
    {
        (int height, int width) = (Math.Min(Height, largestSide), Math.Min(Width, largestSide));
        return (height, width) == (Height, Width) ? this : Crop((Height - height) / 2, (Width - width) / 2, height, width);
    }

    /// <summary>A part of it.</summary>
    internal PicturePair Crop(int top, int left, int height, int width)
    {
        float[] planes = new float[Channels * height * width];
        for (int i = 0; i < Channels * height; i++)
        {
            Planes.AsSpan((((i / height * Height) + top + (i % height)) * Width) + left, width).CopyTo(planes.AsSpan(i * width));
        }

        byte[] pixels = new byte[3 * height * width * Side * Side];
        int run = 3 * width * Side;
        for (int y = 0; y < height * Side; y++)
        {
            Pixels.AsSpan(3 * ((((top * Side) + y) * Width * Side) + (left * Side)), run).CopyTo(pixels.AsSpan(y * run));
        }

        return new(planes, Channels, height, width, pixels, Side);
    }

    /// <summary>From each colour's mean, in 0..1.</summary>
    double Deviation() => Math.Sqrt(CalibrationPair.Scatter(Pixels) / Pixels.Length) / 2;
}
