using System.Text;
using System.Text.Json;
using LatentBridge.Decoders;
using LatentBridge.EmbeddedPython;
using LatentBridge.Host.Python;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;

namespace LatentBridge.Host.Compare;

/// <summary>The reference decoders of <c>python/latentbridge/reference</c>, in a Python inside this process.</summary>
sealed class EmbeddedReference : IReference
{
    const string Module = "latentbridge.reference.__main__";

    readonly PythonPlace _place;
    readonly string _against;

    /// <summary>Starts Python in this process.</summary>
    /// <param name="named">The interpreter <c>--python</c> names; null: the best of <see cref="ReferencePython.Places"/>.</param>
    /// <param name="against">What <c>--against</c> said: <c>python</c> or one of <see cref="References.Libraries"/>.</param>
    /// <exception cref="LatentBridgeException">It cannot; the message says what is missing.</exception>
    internal EmbeddedReference(string? named, string against)
    {
        if (HostedPython.Missing is { } missing)
        {
            throw new LatentBridgeException($"--embedded: {missing}. Leave --embedded out to run Python as a child process.");
        }

        string shim = PythonInterpreter.FindShimFolder()
            ?? throw new LatentBridgeException("python/latentbridge, which has the reference decoders, is not next to this program. Unpack the whole release, or run from the clone.");
        _place = PythonPlace.Find(named is null ? ReferencePython.Places() : [named], against == "python" ? [References.NumPy, References.Torch] : [against]);
        _against = against;
        HostedPython.Start(_place, shim);
    }

    public string Name => "Python";

    public string Description => $"Python {_place.Version} in this process ({_place.Program})";

    public string? Library(DecoderDescription decoder) => References.Library(decoder.Id, _against);

    public ReferencePicture Decode(DecoderDescription decoder, LatentPlanes planes, string formatId, string? weights, int threads, int runs)
    {
        (int width, int height) = decoder.OutputSize(planes.Height, planes.Width);
        byte[] picture = new byte[3 * width * height];
        using MemoryStream request = new();
        using (Utf8JsonWriter json = new(request))
        {
            json.WriteStartObject();
            json.WriteString("decoder", decoder.Id);
            json.WriteString("library", Library(decoder));
            json.WriteString("format", formatId);
            json.WriteString("weights", weights);
            json.WriteNumber("channels", planes.Channels);
            json.WriteNumber("height", planes.Height);
            json.WriteNumber("width", planes.Width);
            json.WriteNumber("threads", threads);
            json.WriteNumber("runs", runs);
            json.WriteEndObject();
        }

        string answer = HostedPython.Call(Module, "decode_in_memory", Encoding.UTF8.GetString(request.ToArray()), planes.Values, picture);
        using JsonDocument document = JsonDocument.Parse(answer);
        JsonElement root = document.RootElement;
        if (root.TryGetProperty("error", out JsonElement error))
        {
            string problem = error.GetString()!.Split('\n')[0].Trim();
            return new(null, 0, null, problem.Contains("No module named", StringComparison.Ordinal) ? $"{problem}: {_place.Program} -m pip install numpy torch" : problem);
        }

        // What the process grew by is C#'s and Python's together: it says nothing of either.
        return new(
            new Picture(picture, root.GetProperty("width").GetInt32(), root.GetProperty("height").GetInt32()),
            root.GetProperty("milliseconds").EnumerateArray().Min(value => value.GetDouble()),
            null,
            null);
    }

    public void Dispose()
    {
        // A process has one Python, and it stays.
    }
}
