using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Onnx;
using LatentBridge.Onnx.Runtime;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Bench;

/// <summary>
/// Our own network as a process that takes turns, with the arguments and answers of <c>benchmarks/peers/torch_network.py</c>: whoever is
/// measured runs in a separate process with its own memory and, if wanted, its own kernel width.
/// </summary>
static class NetworkTurns
{
    /// <summary>What <c>bench</c> calls it: a command for <see cref="DecodersBench"/>, not for people.</summary>
    internal const string Command = "turns";

    /// <summary>The kind that encodes pictures.</summary>
    internal const string EncodeKind = "taesd-encode";

    /// <summary>The kind that decodes with an ONNX model, in ONNX Runtime.</summary>
    internal const string OnnxKind = "onnx";

    /// <summary>As OUTPUT: the result is not wanted, nor the memory to write it.</summary>
    internal const string NoResult = "-";

    /// <summary>Answers until stdin ends.</summary>
    /// <param name="arguments">KIND WEIGHTS INPUT CHANNELS HEIGHT WIDTH THREADS OUTPUT</param>
    internal static int Run(string[] arguments)
    {
        (string kind, string weights, string input, string output) = (arguments[0], arguments[1], arguments[2], arguments[7]);
        int[] numbers = [.. arguments[3..7].Select(argument => int.Parse(argument, CultureInfo.InvariantCulture))];
        (int channels, int height, int width, int threads) = (numbers[0], numbers[1], numbers[2], numbers[3]);
        weights = Path.GetFullPath(weights);
        FoundWeights found = LatentDecoders.Weights([Path.GetDirectoryName(weights)!]).Found.First(file => file.Path == weights);
        Action once = kind == EncodeKind
            ? Encoder(found, input, height, width, threads, output)
            : Decoder(found, kind, input, channels, height, width, threads, output);
        once();
        string name = kind == OnnxKind ? $"ONNX Runtime {OnnxLibrary.Description}" : $"LatentBridge {Simd.Kernel.Name}";
        Console.WriteLine($"{{\"name\":{JsonConvert.ToString(name)}}}");
        while (Console.ReadLine() is not null)
        {
            long started = Stopwatch.GetTimestamp();
            once();
            Console.WriteLine(Stopwatch.GetElapsedTime(started).TotalMilliseconds.ToString("R", CultureInfo.InvariantCulture));
        }

        return ExitCode.Done;
    }

    static Action Decoder(FoundWeights found, string kind, string input, int channels, int height, int width, int threads, string output)
    {
        LatentFormat format = LatentFormats.Get(found.Formats[0]);
        WeightLibrary library = LatentDecoders.Weights([Path.GetDirectoryName(found.Path)!]);
        ILatentDecoder decoder = kind == OnnxKind
            ? OnnxModels.Load(found.Path, format)
            : LatentDecoders.For(format, library).First(entry => entry.Description.Id == kind && entry.Description.Source == found.FileName).Load();
        float[] latent = ReadFloats(input);
        (int across, int down) = decoder.Description.OutputSize(height, width);
        byte[] picture = new byte[3 * across * down];
        bool isFirst = output != NoResult;
        return () =>
        {
            decoder.Decode(new LatentPlanes(latent, channels, height, width), picture, threads, CancellationToken.None);
            if (isFirst)
            {
                WriteFloats(output, PlanesOf(picture));
                isFirst = false;
            }
        };
    }

    static Action Encoder(FoundWeights found, string input, int height, int width, int threads, string output)
    {
        using NetworkTensors tensors = found.Open();
        TaesdEncoder encoder = new(tensors);
        byte[] picture = PixelsOf(ReadFloats(input));
        (int across, int down) = encoder.LatentSize(width, height);
        float[] latent = new float[encoder.Channels * across * down];
        bool isFirst = true;
        return () =>
        {
            encoder.Encode(picture, width, height, latent, threads, CancellationToken.None);
            if (isFirst)
            {
                WriteFloats(output, latent);
                isFirst = false;
            }
        };
    }

    /// <summary>Little-endian F32 of a file.</summary>
    internal static float[] ReadFloats(string path) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();

    /// <summary>Writes little-endian F32.</summary>
    internal static void WriteFloats(string path, ReadOnlySpan<float> values) => File.WriteAllBytes(path, MemoryMarshal.AsBytes(values));

    /// <summary>RGB24 as three planes of 0..1.</summary>
    internal static float[] PlanesOf(ReadOnlySpan<byte> rgb)
    {
        int plane = rgb.Length / 3;
        float[] planes = new float[rgb.Length];
        for (int i = 0; i < rgb.Length; i++)
        {
            planes[(i % 3 * plane) + (i / 3)] = rgb[i] / 255f;
        }

        return planes;
    }

    static byte[] PixelsOf(float[] planes)
    {
        int plane = planes.Length / 3;
        byte[] rgb = new byte[planes.Length];
        for (int i = 0; i < rgb.Length; i++)
        {
            rgb[i] = (byte)((planes[(i % 3 * plane) + (i / 3)] * 255) + 0.5f);
        }

        return rgb;
    }
}
