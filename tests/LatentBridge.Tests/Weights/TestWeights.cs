using System.Buffers.Binary;
using System.Text;
using LatentBridge.Networks;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Weights;

/// <summary>Makes weights files of networks that nobody trained, in a folder that goes away with it.</summary>
sealed class TestWeights : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("latentbridge-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Writes a safetensors file of F32 tensors.</summary>
    public string Write(string name, IEnumerable<(string Name, long[] Dimensions, float[] Values)> tensors, string? latentFormat = null)
    {
        var header = new StringBuilder("{");
        header.Append(latentFormat is null ? "" : $"\"__metadata__\":{{\"latent_format\":\"{latentFormat}\"}},");
        var data = new MemoryStream();
        Span<byte> number = stackalloc byte[4];
        foreach ((string key, long[] dimensions, float[] values) in tensors)
        {
            long start = data.Length;
            foreach (float value in values)
            {
                BinaryPrimitives.WriteSingleLittleEndian(number, value);
                data.Write(number);
            }

            header.Append($"\"{key}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(",", dimensions)}],\"data_offsets\":[{start},{data.Length}]}},");
        }

        byte[] json = Encoding.UTF8.GetBytes(header.ToString().TrimEnd(',') + "}");
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using FileStream file = File.Create(path);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        file.Write(length);
        file.Write(json);
        data.WriteTo(file);
        return path;
    }

    /// <summary>All tensors of a network with seeded numbers, small enough to keep its output near -1..1.</summary>
    public static List<(string Name, long[] Dimensions, float[] Values)> Random(NetworkArchitecture architecture, int seed, params (string Name, long[] Dimensions)[] given)
    {
        var zeros = given.ToDictionary(g => g.Name, g => g.Dimensions);
        NetworkLayout layout = architecture.Layout(new TensorShapes(name => zeros.GetValueOrDefault(name), "", 0)) ?? throw new ArgumentException("Not the shapes of this network.");
        uint state = (uint)seed;
        return [.. layout.Tensors.Select(t => (t.Name, t.Dimensions, Values(ref state, t)))];
    }

    /// <summary>The next number of a generator that Python reproduces in a line: from -1 to 1.</summary>
    public static float Next(ref uint state)
    {
        state = state * 1664525 + 1013904223;
        return (state >> 8) / 8388608f - 1;
    }

    static float[] Values(ref uint state, ExpectedTensor tensor)
    {
        float scale = tensor.Dimensions.Length == 1 ? 0.2f : 1.5f / MathF.Sqrt(tensor.Length / tensor.Dimensions[0]);
        var values = new float[tensor.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Next(ref state) * scale;
        }

        return values;
    }
}
