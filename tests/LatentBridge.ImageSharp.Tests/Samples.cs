using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp.Tests;

/// <summary>Pictures to encode, and the library's own readers to read them back.</summary>
static class Samples
{
    /// <summary>Smooth: any encoder should keep it.</summary>
    public static byte[] Gradient(int width, int height)
    {
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++)
        {
            (int y, int x) = Math.DivRem(i, width);
            rgb[3 * i] = (byte)(255 * x / width);
            rgb[(3 * i) + 1] = (byte)(255 * y / height);
            rgb[(3 * i) + 2] = (byte)(127 + (100 * Math.Sin((x + y) / 40.0)));
        }

        return rgb;
    }

    /// <summary>A gradient with grain, which costs bytes.</summary>
    public static byte[] Texture(int width, int height, int seed = 1)
    {
        byte[] rgb = Gradient(width, height);
        var random = new Random(seed);
        for (int i = 0; i < rgb.Length; i++)
        {
            rgb[i] = (byte)Math.Clamp(rgb[i] + random.Next(-20, 21), 0, 255);
        }

        return rgb;
    }

    /// <summary>The pixels of a file, whose size must be this.</summary>
    public static byte[] Read(ReadOnlySpan<byte> file, int width, int height)
    {
        using Image<Rgb24> image = Image.Load<Rgb24>(file);
        Assert.Equal((width, height), (image.Width, image.Height));
        return Pixels(image.Frames.RootFrame);
    }

    public static byte[] Pixels(ImageFrame<Rgb24> frame)
    {
        byte[] rgb = new byte[3 * frame.Width * frame.Height];
        frame.CopyPixelDataTo(rgb);
        return rgb;
    }
}
