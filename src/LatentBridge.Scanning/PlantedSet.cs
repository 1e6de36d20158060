using System.Runtime.InteropServices;
using System.Text.Json;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning;

/// <summary>A made-up data set of SDXL latents with known faults, to measure what the scan finds: smooth random fields with the means and covariances of natural latents.</summary>
/// <remarks>A number decides each latent, so a set of a given size is always the same.</remarks>
sealed class PlantedSet : IDisposable
{
    const string FormatId = "SDXL";
    const int Height = 48, Width = 64;
    const int Waves = 24;
    const int Shapes = 6;

    /// <summary>Cells of black and white pictures in the taesdxl encoder's latents.</summary>
    static readonly float[] Black = [-2.86f, 0.43f, 0.22f, 0.34f], White = [2.28f, 0.21f, 1.11f, -1.04f];

    readonly LatentFormat _format = LatentFormats.Get(FormatId);
    readonly float[] _mean;
    readonly float[][] _directions;
    readonly LatentChecker _checker;

    PlantedSet()
    {
        using Stream file = typeof(PlantedSet).Assembly.GetManifestResourceStream($"natural/{FormatId}.json")!;
        using JsonDocument natural = JsonDocument.Parse(file);
        _mean = Numbers(natural.RootElement.GetProperty("mean"));

        // A direction is an eigenvector over the square root of its variance; over its squared length it is the eigenvector times that root.
        _directions = [.. natural.RootElement.GetProperty("directions").EnumerateArray().Select(Numbers).Select(row =>
            Array.ConvertAll(row, value => value / row.Sum(other => other * other)))];
        _checker = new(_format);
    }

    /// <summary>Writes a set: each fault <paramref name="percent"/> times in a hundred latents.</summary>
    /// <param name="latents">Folder for the latents.</param>
    /// <param name="pictures">Folder for the pictures beside them.</param>
    /// <param name="count">Number of latents.</param>
    /// <param name="percent">How often each fault.</param>
    /// <returns>The fault of each latent's file.</returns>
    public static Dictionary<string, LatentFaults> Write(string latents, string pictures, int count, int percent = 1)
    {
        using PlantedSet set = new();
        Dictionary<string, LatentFaults> planted = [];
        Directory.CreateDirectory(latents);
        Directory.CreateDirectory(pictures);
        LatentFaults[] faults = [.. LatentFaultsExtensions.All.Select(one => one.Fault)];
        for (int i = 0; i < count; i++)
        {
            // Spread evenly; the first hundred latents are sound, so that copies have originals.
            int turn = i % 100 / percent;
            LatentFaults fault = i >= 100 && turn < faults.Length ? faults[turn] : LatentFaults.None;
            Random random = new(i);
            int original = random.Next(50, 100) + (random.Next(i / 100) * 100);
            float[] values = set.Make(fault is LatentFaults.Duplicate or LatentFaults.Mirrored ? original : i);
            (int across, int down) = fault == LatentFaults.Bucket ? (8 * Height, 8 * Width) : (8 * Width, 8 * Height);
            string name = $"{i:000000}_{across:0000}x{down:0000}_sdxl";
            float[] shown = fault == LatentFaults.Picture ? set.Make(i + 1_000_000) : [.. values];
            set.Spoil(values, fault, random);

            // Bars and mirroring were in the picture already; the other faults came later.
            set.WritePicture(Path.Combine(pictures, $"{i:000000}.png"), fault is LatentFaults.Letterbox or LatentFaults.Mirrored ? values : shown, random);
            SafetensorsWriter.Write(
                Path.Combine(latents, name + ".safetensors"),
                [StoredTensor.FromValues("latent", values, [4, Height, Width], TensorElementType.F16)],
                new Dictionary<string, string> { ["latent_format"] = FormatId });
            planted.Add(name + ".safetensors", fault);
        }

        return planted;
    }

    /// <inheritdoc/>
    public void Dispose() => _checker.Dispose();

    float[] Make(int number)
    {
        Random random = new(number);
        float contrast = MathF.Exp(0.25f * Normal(random));
        float[] values = new float[4 * Height * Width];
        for (int channel = 0; channel < 4; channel++)
        {
            values.AsSpan(channel * Height * Width, Height * Width).Fill(_mean[channel]);
        }

        foreach (float[] direction in _directions)
        {
            float[] field = Field(random);
            for (int channel = 0; channel < 4; channel++)
            {
                float weight = contrast * direction[channel];
                Span<float> plane = values.AsSpan(channel * Height * Width, Height * Width);
                for (int i = 0; i < plane.Length; i++)
                {
                    plane[i] += weight * field[i];
                }
            }
        }

        return values;
    }

    /// <summary>Waves whose amplitude falls with their frequency, a few ellipses with edges, and noise; mean 0 and variance 1.</summary>
    static float[] Field(Random random)
    {
        float[] field = new float[Height * Width];
        for (int wave = 0; wave < Waves; wave++)
        {
            float frequency = MathF.Exp(3 * random.NextSingle()) / Width, angle = MathF.Tau * random.NextSingle(), phase = MathF.Tau * random.NextSingle();
            (float u, float v, float strength) = (MathF.Tau * frequency * MathF.Cos(angle), MathF.Tau * frequency * MathF.Sin(angle), Normal(random) / MathF.Sqrt(frequency * Width));
            for (int i = 0; i < field.Length; i++)
            {
                field[i] += strength * MathF.Cos((u * (i % Width)) + (v * (i / Width)) + phase);
            }
        }

        for (int shape = 0; shape < Shapes; shape++)
        {
            (float x, float y, float rx, float ry, float step) = (Width * random.NextSingle(), Height * random.NextSingle(), 3 + (14 * random.NextSingle()), 3 + (14 * random.NextSingle()), 1.5f * Normal(random));
            for (int i = 0; i < field.Length; i++)
            {
                (float dx, float dy) = (((i % Width) - x) / rx, ((i / Width) - y) / ry);
                field[i] += (dx * dx) + (dy * dy) < 1 ? step : 0;
            }
        }

        for (int i = 0; i < field.Length; i++)
        {
            field[i] += 0.4f * Normal(random);
        }

        float mean = field.Average(), deviation = MathF.Sqrt(field.Average(value => (value - mean) * (value - mean)));
        return Array.ConvertAll(field, value => (value - mean) / deviation);
    }

    void Spoil(float[] values, LatentFaults fault, Random random)
    {
        int plane = Height * Width;
        switch (fault)
        {
            case LatentFaults.Nan:
                values[random.Next(values.Length)] = float.NaN;
                break;
            case LatentFaults.Inf:
                values[random.Next(values.Length)] = random.Next(2) == 0 ? float.PositiveInfinity : float.NegativeInfinity;
                break;
            case LatentFaults.Zero:
                values.AsSpan().Clear();
                break;
            case LatentFaults.Constant:
                values.AsSpan(random.Next(4) * plane, plane).Fill(Normal(random));
                break;
            case LatentFaults.Scale:
                float factor = random.Next(2) == 0 ? _format.ScaleFactor : 1 / _format.ScaleFactor;
                Change(values, value => value * factor);
                break;
            case LatentFaults.Saturated:
                // One to six values in a hundred are clamped.
                float limit = values.Select(Math.Abs).Order().ElementAt((int)(values.Length * (0.94 + (0.05 * random.NextDouble()))));
                Change(values, value => Math.Clamp(value, -limit, limit));
                break;
            case LatentFaults.Duplicate when random.Next(2) == 0:
                Change(values, value => (1.02f * value) + (0.03f * Normal(random)));
                break;
            case LatentFaults.Mirrored:
                for (int row = 0; row < 4 * Height; row++)
                {
                    values.AsSpan(row * Width, Width).Reverse();
                }

                break;
            case LatentFaults.Black or LatentFaults.White:
                Fill(values, 0, plane, fault == LatentFaults.Black ? Black : White, random);
                break;
            case LatentFaults.Letterbox:
                int bar = random.Next(3, 13);
                Fill(values, 0, bar * Width, Black, random);
                Fill(values, plane - (bar * Width), plane, Black, random);
                break;
        }
    }

    static void Change(float[] values, Func<float, float> change)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = change(values[i]);
        }
    }

    static void Fill(float[] values, int from, int to, float[] cell, Random random)
    {
        for (int channel = 0; channel < cell.Length; channel++)
        {
            for (int i = from; i < to; i++)
            {
                values[(channel * Height * Width) + i] = cell[channel] + (0.1f * Normal(random));
            }
        }
    }

    /// <summary>The picture that a latent was made of: somewhat brighter or darker than it decodes, and with noise.</summary>
    void WritePicture(string path, float[] values, Random random)
    {
        _checker.Check(new Latent(MemoryMarshal.AsBytes<float>(values), LatentElementType.F32, new(1, 4, 1, Height, Width)));
        byte[] rgb = _checker.Picture.ToArray();
        int brighter = random.Next(-30, 31);
        for (int i = 0; i < rgb.Length; i++)
        {
            rgb[i] = (byte)Math.Clamp(rgb[i] + brighter + (int)(8 * Normal(random)), 0, 255);
        }

        byte[] png = new byte[PngEncoder.MaximumLength(Width, Height, 3)];
        File.WriteAllBytes(path, png[..new PngEncoder().Encode(rgb, Width, Height, 3, png)]);
    }

    static float Normal(Random random) => MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(MathF.Tau * random.NextSingle());

    static float[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetSingle())];
}
