using LatentBridge.Imaging.Png;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary>Gathers the pictures of a video and writes them as one animation: APNG, or what an encoder makes.</summary>
/// <param name="encoder">Null for APNG.</param>
/// <param name="rate">Pictures a second.</param>
sealed class ClipWriter(IAnimationEncoder? encoder, double rate)
{
    readonly List<ApngFrame> _pngs = [];
    readonly List<AnimationFrame> _pictures = [];

    internal int Count => Math.Max(_pngs.Count, _pictures.Count);

    internal int Width { get; private set; }

    internal int Height { get; private set; }

    internal void Add(byte[] rgb, int width, int height)
    {
        (Width, Height) = (width, height);

        // So that rounding does not add up: each picture ends where the next begins.
        int milliseconds = (int)(Math.Round((Count + 1) * 1000 / rate) - Math.Round(Count * 1000 / rate));
        if (encoder is null)
        {
            _pngs.Add(new(Png(rgb, width, height), milliseconds));
        }
        else
        {
            _pictures.Add(new(rgb, milliseconds));
        }
    }

    /// <summary>Writes the file.</summary>
    /// <returns>Its bytes.</returns>
    internal int Write(string path)
    {
        using FileStream file = File.Create(path);
        if (encoder is null)
        {
            file.Write(ApngWriter.Write(_pngs));
        }
        else
        {
            encoder.Encode(_pictures, Width, Height, file);
        }

        return (int)file.Length;
    }

    internal static byte[] Png(byte[] rgb, int width, int height)
    {
        byte[] png = new byte[PngEncoder.MaximumLength(width, height, 3)];
        return png[..new PngEncoder().Encode(rgb, width, height, 3, png)];
    }
}
