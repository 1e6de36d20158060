using System.Text.Json;

namespace LatentBridge.Host.Demo;

/// <summary>One model's run through the bridge, as <c>python -m latentbridge demo --json</c> reports it.</summary>
/// <param name="Model">Latent format.</param>
/// <param name="StepCount">Steps of the run.</param>
/// <param name="Previews">The pictures that came, by step.</param>
sealed record DemoRun(string Model, int StepCount, IReadOnlyList<DemoPreview> Previews)
{
    /// <summary>Reads the report.</summary>
    /// <exception cref="LatentBridgeException">It is not what was expected.</exception>
    internal static IReadOnlyList<DemoRun> ReadAll(string report)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(report);
            return [.. document.RootElement.GetProperty("models").EnumerateArray().Select(ReadRun)];
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new LatentBridgeException(
                $"The demo's Python side did not report as expected ({failure.Message}): program and python/latentbridge have different versions. Unpack the release again, or rebuild the clone.", failure);
        }
    }

    static DemoRun ReadRun(JsonElement run)
    {
        JsonElement steps = run.GetProperty("steps");
        return new(
            run.GetProperty("model").GetString()!,
            steps.GetArrayLength(),
            [.. steps.EnumerateArray().Where(step => step.GetProperty("file").ValueKind == JsonValueKind.String).Select(ReadPreview)]);
    }

    static DemoPreview ReadPreview(JsonElement step) => new(
        step.GetProperty("step").GetInt32(),
        step.GetProperty("file").GetString()!,
        step.GetProperty("width").GetInt32(),
        step.GetProperty("height").GetInt32(),
        step.GetProperty("bytes").GetInt64(),
        step.GetProperty("decoder").GetString()!,
        step.GetProperty("callbackMicroseconds").GetDouble(),
        step.GetProperty("milliseconds").GetDouble());
}

/// <summary>One step's picture.</summary>
/// <param name="Step">0-based.</param>
/// <param name="File">The PNG file.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="ByteLength">Of the PNG file.</param>
/// <param name="Decoder">What made it.</param>
/// <param name="CallbackMicroseconds">The sampler thread's time in <c>submit</c>.</param>
/// <param name="Milliseconds">From submit to the picture's bytes in Python.</param>
sealed record DemoPreview(int Step, string File, int Width, int Height, long ByteLength, string Decoder, double CallbackMicroseconds, double Milliseconds);
