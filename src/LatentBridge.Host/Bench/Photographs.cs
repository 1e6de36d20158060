using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Python;
using LatentBridge.Host.Sheets;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Host.Bench;

/// <summary>Photographs to encode: decoded from the example latents that come with the program.</summary>
static class Photographs
{
    /// <summary>Square pictures of that side, and what they are.</summary>
    /// <exception cref="LatentBridgeException">The example latents are not there.</exception>
    internal static (IReadOnlyList<Picture> Pictures, string What) Find(int side)
    {
        string folder = PythonInterpreter.FindBesideProgram("examples", "latents")
            ?? throw new LatentBridgeException("The example latents (examples/latents) are not beside this program; they are the pictures this benchmark encodes.");
        string[] files = [.. Directory.GetFiles(folder, "*_batch4.safetensors").Order(StringComparer.Ordinal)];
        List<Picture> pictures = [];
        foreach (string file in files)
        {
            LatentInput input = LatentInput.Open(file, null, null, null);
            using ILatentDecoder decoder = LatentDecoders.For(input.Format, WeightLibrary.OfThisMachine())[0].Load();
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

        return (pictures, "the photographs of examples/latents, decoded");
    }
}
