using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;
using LatentBridge.Previews;

namespace LatentBridge.Host.Bench;

/// <summary>Photographs to encode: those of the test data, or where there is none, decoded from the example latents that come with the program.</summary>
static class Photographs
{
    /// <summary>Square pictures of that side, and what they are.</summary>
    /// <exception cref="LatentBridgeException">Neither is there.</exception>
    internal static (IReadOnlyList<Picture> Pictures, string What) Find(int side)
    {
        string? testData = Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") is { Length: > 0 } named ? named : Distribution.Find("..", "shared");
        if (testData is not null && Path.Combine(testData, "images") is { } images && Directory.Exists(images))
        {
            string[] photographs = [.. Directory.GetFiles(images, "*.png").Order(StringComparer.Ordinal)];
            return ([.. photographs.Select(photograph => Crop(PngReader.Read(RegularFile.ReadAllBytes(photograph)), side))], $"photographs of {Path.GetFullPath(images)}, cropped");
        }

        string folder = Distribution.Find("examples", "latents")
            ?? throw new LatentBridgeException("The example latents (examples/latents) are not next to this program, and this benchmark encodes them. Run it from the clone or the whole release.");
        string[] files = [.. Directory.GetFiles(folder, "*_batch4.safetensors").Order(StringComparer.Ordinal)];
        List<Picture> pictures = [];
        foreach (string file in files)
        {
            LatentInput input = LatentInput.Open(file, new());
            using ILatentDecoder decoder = LatentDecoders.For(input.Format, LatentDecoders.WeightsOfThisMachine())[0].Load();
            using PreviewRenderer renderer = new(input.Format);
            for (int item = 0; item < input.Shape.Batch; item++)
            {
                PreviewOptions options = new() { Batch = BatchChoice.Item, Item = item, Size = side, Encoding = PreviewEncoding.Rgb24 };
                byte[] pixels = new byte[3 * side * side];
                renderer.Stage(input.View, options);
                renderer.Render(decoder, options, pixels, CancellationToken.None);
                pictures.Add(new(pixels, side, side));
            }
        }

        return (pictures, "photographs of examples/latents, decoded");
    }

    static Picture Crop(PngImage image, int side)
    {
        byte[] source = image.ToRgb();
        int side3 = 3 * side;
        byte[] pixels = new byte[side3 * side];
        int left = (image.Width - side) / 2;
        int top = (image.Height - side) / 2;
        for (int y = 0; y < side; y++)
        {
            source.AsSpan(3 * (((top + y) * image.Width) + left), side3).CopyTo(pixels.AsSpan(y * side3));
        }

        return new(pixels, side, side);
    }
}
