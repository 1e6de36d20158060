// C# decoders against their references in NumPy, on a machine without Python: the package Python.Included brings one, which fetches NumPy in the first run,
// and pythonnet runs it inside this process. A Python named as the second argument is taken in its place.
//
//     dotnet run --project examples/CompareWithoutPython -- examples/latents/SDXL_kodim23.safetensors [PYTHON]

using System.Text.Json;
using LatentBridge;
using LatentBridge.Decoders;
using LatentBridge.EmbeddedPython;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Weights;

if (args.Length is not (1 or 2))
{
    Console.Error.WriteLine("usage: CompareWithoutPython LATENT [PYTHON]");
    return 2;
}

try
{
    string models = WeightLibrary.OwnFolder() ?? throw new LatentBridgeException("The folder models, beside which python/latentbridge lies, is not above this program.");
    PythonPlace python = PythonPlace.Find([args.Length == 2 ? args[1] : await BundledPython.Install("numpy")], ["numpy"]);
    HostedPython.Start(python, Path.Combine(models, "..", "python"));
    Console.WriteLine($"Python {python.Version} in this process ({python.Program})");
    return Compare(args[0], python);
}
catch (LatentBridgeException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

// 0 when no value of any picture differs by more than one level of 255.
static int Compare(string path, PythonPlace python)
{
    LoadedLatent latent = LatentFile.Load(path);
    LatentFormat format = latent.Format;
    WeightLibrary weights = LatentDecoders.WeightsOfThisMachine();
    using PreviewRenderer renderer = new(format);
    renderer.Stage(latent.View, new PreviewOptions());
    LatentPlanes planes = renderer.Planes(0);

    int worst = 0;
    foreach (DecoderEntry entry in LatentDecoders.For(format, weights).Where(entry => entry.Description.Id is "latent2rgb" or "mlp"))
    {
        using ILatentDecoder decoder = entry.Load();
        (int width, int height) = decoder.Description.OutputSize(planes.Height, planes.Width);
        byte[] ours = new byte[3 * width * height], theirs = new byte[3 * width * height];
        decoder.Decode(planes, ours, threads: 1, CancellationToken.None);

        string? file = weights.Found.FirstOrDefault(found => found.FileName == decoder.Description.Source && found.Formats.Contains(format.Id))?.Path;
        string request = JsonSerializer.Serialize(new
        {
            decoder = decoder.Description.Id,
            library = "numpy",
            format = format.Id,
            weights = file,
            channels = planes.Channels,
            height = planes.Height,
            width = planes.Width,
            threads = 1,
            runs = 1,
        });
        using JsonDocument answer = JsonDocument.Parse(HostedPython.Call("latentbridge.reference.__main__", "decode_in_memory", request, planes.Values, theirs));
        if (answer.RootElement.TryGetProperty("error", out JsonElement error))
        {
            throw new LatentBridgeException($"{decoder.Description.Id} in Python: {error.GetString()}. NumPy is all it needs: {python.Program} -m pip install numpy");
        }

        int[] differences = [.. ours.Zip(theirs, (a, b) => Math.Abs(a - b))];
        Console.WriteLine($"{decoder.Description.Id}: {width}x{height}, {differences.Count(d => d > 0)} of {ours.Length} values differ, by {differences.Max()} levels of 255 at most");
        worst = Math.Max(worst, differences.Max());
    }

    return worst > 1 ? 1 : 0;
}
