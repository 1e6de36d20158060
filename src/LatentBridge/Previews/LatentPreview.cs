using LatentBridge.Files;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Previews;

/// <summary>The picture of one latent, as RGB pixels in memory.</summary>
public sealed class LatentPreview
{
    readonly byte[] _rgb;

    internal LatentPreview(byte[] rgb, int width, int height, string formatId, string decoderId)
    {
        _rgb = rgb;
        (Width, Height) = (width, height);
        (FormatId, DecoderId) = (formatId, decoderId);
    }

    /// <summary>Pixels from left to right.</summary>
    public int Width { get; }

    /// <summary>Pixels from top to bottom.</summary>
    public int Height { get; }

    /// <summary>Id of the latent format, such as <c>SDXL</c>.</summary>
    public string FormatId { get; }

    /// <summary>Id of the decoder that made the picture, such as <c>tiny</c>.</summary>
    public string DecoderId { get; }

    /// <summary>Red, green and blue bytes, row by row from the top, without padding: 3 x <see cref="Width"/> x <see cref="Height"/> bytes.</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    /// <summary>Decodes the latent of a file: <c>.safetensors</c>, <c>.latent</c>, <c>.npy</c>, <c>.npz</c>, <c>.pt</c> or <c>.pth</c>.</summary>
    /// <param name="path">The file. What it says of its format, scale and axes is used, else they are guessed.</param>
    /// <param name="options">What picture is wanted; null: the defaults. <see cref="PreviewOptions.Encoding"/> and <see cref="PreviewOptions.Quality"/> do not matter.</param>
    /// <exception cref="LatentBridgeException">The file holds no latent, or more than one could be meant; the message says what to do.</exception>
    public static LatentPreview Decode(string path, PreviewOptions? options = null)
    {
        LoadedLatent latent = LatentFile.Load(path);
        using LatentPreviewer previewer = new(latent.Format, options);
        return previewer.Preview(latent.View);
    }

    /// <summary>The picture as a PNG file's bytes.</summary>
    public byte[] ToPng()
    {
        byte[] png = new byte[PngEncoder.MaximumLength(Width, Height, 3)];
        int length = new PngEncoder().Encode(_rgb, Width, Height, 3, png);
        return png[..length];
    }

    /// <summary>Writes the picture as a PNG file; an existing file is replaced.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SavePng(string path) => File.WriteAllBytes(path, ToPng());
}
