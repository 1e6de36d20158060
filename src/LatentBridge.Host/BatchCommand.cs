using System.Text;
using System.Text.Json;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Scanning;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Host;

/// <summary>
/// <c>latentbridge batch</c>, which Python's <c>latentbridge.check</c> and <c>latentbridge.thumbnail</c> start: requests on stdin, replies on stdout. Each is a line of JSON and,
/// where its <c>bytes</c> says so, as many bytes.
/// </summary>
/// <remarks>Only our own Python speaks to it, from the same release; <c>docs/scan.md</c> describes the calls.</remarks>
static class BatchCommand
{
    const int MaximumLine = 1 << 16;

    /// <summary>Answers requests until stdin closes.</summary>
    internal static int Run()
    {
        using BufferedStream input = new(Console.OpenStandardInput(), 1 << 16);
        using Stream output = Console.OpenStandardOutput();
        ParentWatch.Start();
        byte[] latents = [];
        while (ReadLine(input) is { } line)
        {
            (byte[] reply, byte[] bytes) = Answer(line, input, ref latents);
            output.Write(reply);
            output.Write(bytes);
            output.Flush();
        }

        return ExitCode.Done;
    }

    static (byte[] Reply, byte[] Bytes) Answer(string line, Stream input, ref byte[] latents)
    {
        try
        {
            using JsonDocument request = JsonDocument.Parse(line);
            JsonElement root = request.RootElement;
            int length = root.GetProperty("bytes").GetInt32();
            if (latents.Length < length)
            {
                latents = new byte[length];
            }

            input.ReadExactly(latents, 0, length);
            return Answer(root, latents.AsSpan(0, length));
        }
        catch (Exception failure) when (failure is LatentBridgeException or ArgumentException)
        {
            return (Reply(json => json.WriteString("error", failure.Message)), []);
        }
    }

    static (byte[] Reply, byte[] Bytes) Answer(JsonElement request, ReadOnlySpan<byte> bytes)
    {
        LatentFormat format = LatentFormats.Get(request.GetProperty("format").GetString()!);
        LatentElementType type = request.GetProperty("type").GetString() == "F16" ? LatentElementType.F16 : LatentElementType.F32;
        LatentSpace space = request.GetProperty("space").GetString() == "vae" ? LatentSpace.Vae : LatentSpace.Sampler;
        string? decoder = request.GetProperty("decoder").GetString();
        long[] axes = [.. request.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt64())];
        if (LatentShape.FromDimensions(axes, format.Dimensions, out LatentShape shape) is { } wrong)
        {
            throw new LatentBridgeException($"{wrong}.");
        }

        Latent latents = new(bytes, type, shape, space);
        if (request.GetProperty("call").GetString() == "check")
        {
            LatentFinding[] findings = LatentBatches.Check(latents, format, decoder);
            return (Reply(json => Write(json, findings)), []);
        }

        byte[] pictures = LatentBatches.Thumbnail(latents, format, request.GetProperty("size").GetInt32(), decoder, out int width, out int height);
        return (Reply(json =>
        {
            json.WriteNumber("bytes", pictures.Length);
            json.WriteNumber("width", width);
            json.WriteNumber("height", height);
        }), pictures);
    }

    static void Write(Utf8JsonWriter json, LatentFinding[] findings)
    {
        foreach ((LatentFaults fault, string name) in LatentFaultsExtensions.All.Where(one => (LatentFaultsExtensions.OfOneLatent & one.Fault) != 0))
        {
            Array(name, finding => json.WriteBooleanValue(finding.Faults.HasFlag(fault)));
        }

        Array("details", finding => json.WriteStringValue(string.Join("; ", finding.Details)));
        Array("log_spread", finding => json.WriteNumberValue(Finite(finding.LogSpread)));
        Array("oddness", finding => json.WriteNumberValue(Finite(finding.Oddness)));
        Array("hash", finding => json.WriteNumberValue(finding.Sketch?.Hash ?? 0));
        Array("mean", finding => Numbers(finding.Mean));
        Array("std", finding => Numbers(finding.Deviation));

        void Array(string name, Action<LatentFinding> write)
        {
            json.WriteStartArray(name);
            System.Array.ForEach(findings, write);
            json.WriteEndArray();
        }

        void Numbers(IEnumerable<float> values)
        {
            json.WriteStartArray();
            foreach (float value in values)
            {
                json.WriteNumberValue(Finite(value));
            }

            json.WriteEndArray();
        }
    }

    static double Finite(double value) => double.IsFinite(value) ? value : 0;

    static byte[] Reply(Action<Utf8JsonWriter> write)
    {
        using MemoryStream reply = new();
        using (Utf8JsonWriter json = new(reply))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        reply.WriteByte((byte)'\n');
        return reply.ToArray();
    }

    static string? ReadLine(Stream input)
    {
        List<byte> line = [];
        for (int next = input.ReadByte(); next != '\n'; next = input.ReadByte())
        {
            if (next < 0 || line.Count == MaximumLine)
            {
                return null;
            }

            line.Add((byte)next);
        }

        return Encoding.UTF8.GetString([.. line]);
    }
}
