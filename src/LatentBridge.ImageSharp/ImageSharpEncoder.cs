using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp;

/// <summary>One of the library's encoders, from the caller's memory into the caller's memory: no copy of the pixels, none of the file.</summary>
/// <param name="encoding">JPEG or WebP.</param>
sealed class ImageSharpEncoder(PreviewEncoding encoding) : IPictureEncoder
{
    internal const int LongestSideOfWebp = 16_383;
    internal const int LongestSide = 65_535;

    IImageEncoder? _encoder;
    int _quality;

    public PreviewEncoding Encoding => encoding;

    public unsafe int Encode(ReadOnlySpan<byte> rgb, int width, int height, int quality, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        ArgumentOutOfRangeException.ThrowIfLessThan(rgb.Length, 3L * width * height, nameof(rgb));
        (string name, int longest) = encoding == PreviewEncoding.Jpeg ? ("JPEG", LongestSide) : ("WebP", LongestSideOfWebp);
        CheckSides(name, longest, width, height);
        if (_encoder is null || quality != _quality)
        {
            (_encoder, _quality) = (Create(quality), quality);
        }

        fixed (byte* pixels = rgb, file = destination)
        {
            using var image = Image.WrapMemory<Rgb24>(ImageSharpEncoders.Library.Configuration, pixels, width, height);
            using var stream = new DestinationStream(file, destination.Length);
            _encoder.Encode(image, stream);
            return checked((int)stream.Length);
        }
    }

    // Of WebP's methods, 0 to 6, the second fastest: a preview is looked at for a second.
    IImageEncoder Create(int quality) => encoding == PreviewEncoding.Jpeg
        ? new JpegEncoder { Quality = quality, ColorType = JpegColorType.YCbCrRatio420 }
        : new WebpEncoder { Quality = quality, FileFormat = WebpFileFormatType.Lossy, Method = WebpEncodingMethod.Level1 };

    internal static void CheckSides(string name, int longestSide, int width, int height)
    {
        if (width > longestSide || height > longestSide)
        {
            throw new LatentBridgeException($"A {name} has at most {longestSide} pixels a side, the picture is {width} x {height}. Choose a smaller size or PNG.");
        }
    }
}
