using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Tga;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace LatentBridge.ImageSharp;

/// <summary>Reads the pictures that the core does not: JPEG, WebP, GIF, BMP, TIFF, TGA, told by their bytes and turned as EXIF says.</summary>
public static class PictureReader
{
    const long MaximumPixels = 1 << 28;

    /// <summary>Reads a picture.</summary>
    /// <param name="file">The whole file.</param>
    /// <returns>RGB24 pixels, rows from top to bottom without padding.</returns>
    /// <exception cref="LatentBridgeException">It is no such picture, is damaged, or has more than 2^28 pixels.</exception>
    public static (byte[] Rgb, int Width, int Height) Read(ReadOnlySpan<byte> file)
    {
        try
        {
            Configuration configuration = Library.Configuration;
            using MemoryStream stream = new(file.ToArray(), writable: false);
            IImageInfo? size = Image.Identify(configuration, stream);
            if (size is null)
            {
                throw NoPicture(file);
            }

            if ((long)size.Width * size.Height > MaximumPixels)
            {
                throw new LatentBridgeException($"The picture has {size.Width} x {size.Height} pixels; at most {MaximumPixels} are accepted.");
            }

            stream.Position = 0;
            using Image<Rgb24> image = Image.Load<Rgb24>(configuration, stream);
            image.Mutate(static context => context.AutoOrient());
            byte[] rgb = new byte[3 * image.Width * image.Height];
            image.CopyPixelDataTo(rgb);
            return (rgb, image.Width, image.Height);
        }
        catch (UnknownImageFormatException)
        {
            throw NoPicture(file);
        }
        catch (Exception e) when (e is ImageFormatException or NotSupportedException or InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            throw new LatentBridgeException($"The picture cannot be read ({e.Message.TrimEnd('.')}). Save it again as a PNG.", e);
        }
    }

    static LatentBridgeException NoPicture(ReadOnlySpan<byte> file) =>
        new($"Not a picture: it begins with {Convert.ToHexString(file[..Math.Min(file.Length, 8)])}, expected PNG, JPEG, WebP, GIF, BMP, TIFF or TGA.");

    /// <summary>The formats that are read. In a class of its own: a host that is never asked for a picture does not load the library.</summary>
    static class Library
    {
        internal static readonly Configuration Configuration = new(
            new JpegConfigurationModule(), new WebpConfigurationModule(), new GifConfigurationModule(), new BmpConfigurationModule(), new TiffConfigurationModule(), new TgaConfigurationModule())
        {
            MaxDegreeOfParallelism = 1,
        };
    }
}
