using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LatentBridge.Files;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Files;

/// <summary>The real files of the test data.</summary>
public sealed class TensorFileTestDataTests
{
    // SOURCES.md gives the parameters of each network, and the tensors of some.
    [Theory]
    [InlineData("taesd_decoder.safetensors", 67, 1_222_531, TensorElementType.BF16)]
    [InlineData("taesd_encoder.safetensors", 67, 1_222_532, TensorElementType.BF16)]
    [InlineData("taesdxl_decoder.safetensors", 67, 1_222_531, TensorElementType.BF16)]
    [InlineData("taesdxl_encoder.safetensors", 67, 1_222_532, TensorElementType.BF16)]
    [InlineData("taesd3_decoder.safetensors", 67, 1_229_443, TensorElementType.BF16)]
    [InlineData("taesd3_encoder.safetensors", 67, 1_229_456, TensorElementType.BF16)]
    [InlineData("taef1_decoder.safetensors", 67, 1_229_443, TensorElementType.BF16)]
    [InlineData("taef1_encoder.safetensors", 67, 1_229_456, TensorElementType.BF16)]
    [InlineData("taef2_decoder.pth", 79, 1_338_499, TensorElementType.F16)]
    [InlineData("taef2_encoder.pth", 79, 1_338_528, TensorElementType.F16)]
    [InlineData("taesana_encoder.pth", null, 1_256_288, TensorElementType.F16)]
    [InlineData("vaeapprox_model.pt", null, 52_395, TensorElementType.F32)]
    [InlineData("vaeapprox-sdxl.pt", null, 52_395, TensorElementType.F32)]
    [InlineData("vaeapprox-sd3.pt", null, 57_099, TensorElementType.F32)]
    [InlineData("birch_approx_vae/decoder_sd1.4.pt", 6, 255, TensorElementType.F32)]
    public void Networks_have_the_parameters_their_source_says(string name, int? tensorCount, long parameterCount, TensorElementType type)
    {
        using var file = TensorFile.Open(TestData.Require("models", name));
        Assert.Equal(parameterCount, file.Tensors.Sum(static t => t.Length));
        Assert.All(file.Tensors, t => Assert.Equal(type, t.ElementType));
        Assert.Equal(tensorCount ?? file.Tensors.Count, file.Tensors.Count);
    }

    [Fact]
    public void Every_file_of_weights_or_latents_opens_and_is_finite()
    {
        string[] files = [.. new[] { "models", "latents" }
            .SelectMany(static folder => Directory.EnumerateFiles(TestData.Require(folder), "*", SearchOption.AllDirectories))
            .Where(static path => Path.GetExtension(path) is ".safetensors" or ".pt" or ".pth")];
        Assert.NotEmpty(files);
        foreach (string path in files)
        {
            using var file = TensorFile.Open(path);
            Assert.NotEmpty(file.Tensors);
            foreach (TensorEntry tensor in file.Tensors)
            {
                float[] values = new float[tensor.Length];
                tensor.CopyTo(values);
                Assert.DoesNotContain(values, static v => !float.IsFinite(v));
            }
        }
    }

    [Fact]
    public void Every_example_latent_names_its_format()
    {
        foreach (string path in Directory.EnumerateFiles(TestData.Require("latents"), "*.safetensors"))
        {
            LoadedLatent latent = LatentFile.Load(path);
            string name = Path.GetFileName(path);
            Assert.Equal(name.Split('_')[0], latent.Format.Id);
            Assert.Equal(name.Contains("run8", StringComparison.Ordinal) ? "x0" : "latent", latent.Key);
            Assert.Equal((LatentElementType.F16, LatentSpace.Sampler, 4), (latent.ElementType, latent.Space, latent.Axes.Count));
        }
    }

    [Fact]
    public void The_wan_latent_has_the_values_torch_reads()
    {
        LoadedLatent latent = LatentFile.Load(TestData.Require("models", "test_latents_wan.pth"));
        Assert.Equal([1, 16, 16, 40, 64], latent.Axes);
        Assert.Equal(LatentElementType.BF16, latent.ElementType);

        // sha256 of torch.load(...).contiguous().float().numpy().tobytes(), torch 1.13.
        using var file = TensorFile.Open(latent.Path);
        float[] values = new float[file.Tensors[0].Length];
        file.Tensors[0].CopyTo(values);
        Assert.Equal("8892fe2b59c0a5f7f4d5d4ba2fe97ba5dd6e1681358085052013cb90143a7d9a", Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(values))), ignoreCase: true);
    }
}
