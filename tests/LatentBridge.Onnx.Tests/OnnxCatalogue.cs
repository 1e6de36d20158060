using System.Runtime.CompilerServices;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;
using Microsoft.ML.OnnxRuntime;

namespace LatentBridge.Onnx.Tests;

/// <summary>ONNX models through the catalogue, as the program gets them.</summary>
static class OnnxCatalogue
{
    /// <summary>As in a program that used ONNX Runtime before us: the library allows one environment a process. The host's tests have the other case.</summary>
    [ModuleInitializer]
    internal static void Register()
    {
        _ = OrtEnv.Instance();
        OnnxModels.Register();
    }

    /// <summary>The decoder of an ONNX file.</summary>
    public static ILatentDecoder Load(string path, string format = "SD15")
    {
        WeightLibrary library = LatentDecoders.Weights([Path.GetDirectoryName(path)!]);
        FoundWeights found = library.Found.Single(found => found.Path == path);
        Assert.Null(found.Problem);
        return LatentDecoders.For(LatentFormats.Get(format), library).Single(entry => entry.Description.Source == found.FileName).Load();
    }

    /// <summary>Values like a latent's: -3..3, smooth.</summary>
    public static float[] Latent(int channels, int height, int width) =>
        [.. Enumerable.Range(0, channels * height * width).Select(i => 3 * MathF.Sin((0.37f * i) + (i / (height * width))))];
}
