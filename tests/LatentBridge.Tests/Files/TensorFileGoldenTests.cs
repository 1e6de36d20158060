using System.Runtime.InteropServices;
using System.Text.Json;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

/// <summary>Files that numpy and torch wrote, against what they say is in them (<c>make_goldens.py</c>).</summary>
public sealed class TensorFileGoldenTests
{
    public static TheoryData<string> Files => [.. Expected().EnumerateObject().Select(static f => f.Name)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Reads_what_was_saved(string name)
    {
        using var file = TensorFile.Open(PathOf(name));
        JsonElement expected = Expected().GetProperty(name);
        Assert.Equal(expected.GetProperty("kind").GetString(), file.Kind.ToString());
        JsonElement tensors = expected.GetProperty("tensors");
        Assert.Equal(tensors.EnumerateObject().Select(static t => t.Name), file.Tensors.Select(static t => t.Name));
        foreach (JsonProperty tensor in tensors.EnumerateObject())
        {
            TensorEntry entry = file.Find(tensor.Name)!;
            Assert.Equal(tensor.Value.GetProperty("type").GetString(), entry.ElementType.ToString());
            Assert.Equal(tensor.Value.GetProperty("shape").EnumerateArray().Select(static d => d.GetInt64()), entry.Dimensions);
            float[] values = new float[entry.Length];
            entry.CopyTo(values);
            Assert.Equal(tensor.Value.GetProperty("f32").GetBytesFromBase64(), MemoryMarshal.AsBytes<float>(values).ToArray());
        }
    }

    [Fact]
    public void Text_beside_tensors_is_metadata()
    {
        using var torch = TensorFile.Open(PathOf("samples.pt"));
        Assert.Equal("SDXL", torch.Metadata["latent_format"]);
        using var safetensors = TensorFile.Open(PathOf("types.safetensors"));
        Assert.Equal("SD15", safetensors.Metadata["latent_format"]);
    }

    [Fact]
    public void A_name_that_lies_does_not_matter()
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.png");
        File.Copy(PathOf("views.pt"), path);
        try
        {
            using var file = TensorFile.Open(path);
            Assert.Equal(TensorFileKind.Torch, file.Kind);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Every golden file's path.</summary>
    internal static IEnumerable<string> Paths => Expected().EnumerateObject().Select(static f => PathOf(f.Name));

    /// <summary>The path of a golden file.</summary>
    internal static string PathOf(string name) => Path.Combine(TestData.RepositoryRoot, "tests", "Goldens", "Weights", name);

    static JsonElement Expected() => JsonDocument.Parse(File.ReadAllBytes(PathOf("expected.json"))).RootElement;
}
