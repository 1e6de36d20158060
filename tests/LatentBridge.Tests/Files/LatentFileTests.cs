using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Files;

public sealed class LatentFileTests
{
    [Theory]
    [InlineData("comfyui.latent", "latent_tensor", LatentSpace.Vae, LatentElementType.F32, "1,4,6,8")]
    [InlineData("comfyui-legacy.latent", "latent_tensor", LatentSpace.Vae, LatentElementType.F32, "1,4,6,8")]
    [InlineData("kohya.npz", "latents", LatentSpace.Vae, LatentElementType.F32, "4,6,8")]
    [InlineData("kohya-sized.npz", "latents_6x8", LatentSpace.Vae, LatentElementType.F32, "16,6,8")]
    [InlineData("deflated.npz", "samples", LatentSpace.Sampler, LatentElementType.F32, "1,4,16,16")]
    [InlineData("f4.npy", "tensor", LatentSpace.Sampler, LatentElementType.F32, "1,4,6,8")]
    [InlineData("tensor.pt", "tensor", LatentSpace.Sampler, LatentElementType.BF16, "1,4,6,8")]
    [InlineData("tensor-legacy.pt", "tensor", LatentSpace.Sampler, LatentElementType.BF16, "1,4,6,8")]
    [InlineData("samples.pt", "samples", LatentSpace.Sampler, LatentElementType.F32, "1,4,6,8")]
    [InlineData("nested-latents.pt", "samples.0", LatentSpace.Sampler, LatentElementType.F32, "1,4,6,8")]
    public void Finds_the_latent(string name, string key, LatentSpace space, LatentElementType type, string axes)
    {
        LoadedLatent latent = LatentFile.Load(TensorFileGoldenTests.PathOf(name));
        Assert.Equal(key, latent.Key);
        Assert.Equal(space, latent.Space);
        Assert.Equal(type, latent.ElementType);
        Assert.Equal(axes, string.Join(",", latent.Axes));
        Assert.Contains(key, latent.Keys);
        Assert.Equal(latent.Axes[^1], latent.Shape.Width);
    }

    [Fact]
    public void Both_comfyui_versions_give_the_same_values()
    {
        float[] now = Values(LatentFile.Load(TensorFileGoldenTests.PathOf("comfyui.latent")));
        float[] legacy = Values(LatentFile.Load(TensorFileGoldenTests.PathOf("comfyui-legacy.latent")));
        Assert.Equal(now, legacy, (a, b) => Math.Abs(a - b) < 1e-5f);
    }

    [Fact]
    public void A_told_space_wins_and_leaves_the_values_alone()
    {
        string path = TensorFileGoldenTests.PathOf("comfyui-legacy.latent");
        LoadedLatent told = LatentFile.Load(path, new() { Space = LatentSpace.Sampler });
        Assert.Equal(LatentSpace.Sampler, told.Space);
        Assert.Equal(-12 * 0.18215f, Values(told)[0], 1e-6f);
        Assert.Equal(-12, Values(LatentFile.Load(path))[0], 1e-5f);
        Assert.Equal(LatentSpace.Vae, LatentFile.Load(TensorFileGoldenTests.PathOf("f4.npy"), new() { Space = LatentSpace.Vae }).Space);
    }

    [Fact]
    public void A_key_chooses_and_a_set_gives_its_first()
    {
        string path = TensorFileGoldenTests.PathOf("nested-latents.pt");
        LoadedLatent second = LatentFile.Load(path, new() { Key = "samples.1" });
        Assert.Equal([1, 8, 20], second.Axes);
        Assert.Equal(20, second.Shape.Width);
        Assert.Equal(["samples.0", "samples.1"], second.Keys);
        Assert.Equal("samples.0", LatentFile.Load(path, new() { Key = "samples" }).Key);
    }

    [Fact]
    public void All_latents_of_a_kohya_cache_are_in_vae_space() =>
        Assert.Equal(LatentSpace.Vae, LatentFile.Load(TensorFileGoldenTests.PathOf("kohya.npz"), new() { Key = "latents_flipped" }).Space);

    [Fact]
    public void Other_element_types_become_F32()
    {
        LoadedLatent latent = LatentFile.Load(TensorFileGoldenTests.PathOf("types.pt"), new() { Key = "I16" });
        Assert.Equal(LatentElementType.F32, latent.ElementType);
        Assert.Equal([-12, -11, -11, -11, -11, -10], Values(latent));
    }

    [Fact]
    public void The_only_one_shaped_like_a_latent_is_taken()
    {
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors(("conv", [64, 64, 3, 3]), ("picture", [1, 16, 8, 8]), ("bias", [64])), "x");
        Assert.Equal("picture", LatentFile.Load(file, "x", new()).Key);
    }

    [Fact]
    public void Several_are_listed_with_their_shapes()
    {
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors(("a", [1, 16, 8, 8]), ("b", [1, 4, 8, 8])), "two.safetensors");
        var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(file, "two.safetensors", new()));
        Assert.Equal("two.safetensors: 2 tensors look like latents. Choose with --key: a [1, 16, 8, 8], b [1, 4, 8, 8].", e.Message);
        e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(file, "two.safetensors", new() { Key = "c" }));
        Assert.StartsWith("two.safetensors: there is no tensor \"c\". Choose with --key: a [1, 16, 8, 8]", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("empty.npy", "at least one element")]
    [InlineData("types.safetensors", "no tensor looks like a latent")]
    [InlineData("none.npy", "there is no such file")]
    public void Says_why_there_is_none(string name, string message)
    {
        var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(TensorFileGoldenTests.PathOf(name)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Axes_that_do_not_fit_are_refused_by_name()
    {
        var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(TensorFileGoldenTests.PathOf("scalar.npy")));
        Assert.Contains("expected 2 to 8", e.Message, StringComparison.Ordinal);
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors(("latent", [1, 7, 8, 8])), "x");
        e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(file, "x", new() { FormatId = "Flux" }));
        Assert.Contains("no order of axes fits format Flux, which has 16 channels", e.Message, StringComparison.Ordinal);
        Assert.Contains("--axes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void As_many_frames_as_channels_is_a_question_and_axes_answers_it()
    {
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors(("latent", [16, 16, 10, 12])), "x");
        var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(file, "x", new() { FormatId = "Wan21" }));
        Assert.Contains("--axes BCHW or --axes CTHW", e.Message, StringComparison.Ordinal);
        Assert.Equal(new LatentShape(1, 16, 16, 10, 12), LatentFile.Load(file, "x", new() { FormatId = "Wan21", Axes = "cthw" }).Shape);
        Assert.Equal(new LatentShape(16, 16, 1, 10, 12), LatentFile.Load(file, "x", new() { FormatId = "Wan21", Axes = "BCHW" }).Shape);
    }

    [Fact]
    public void Unknown_neighbours_are_left_out_and_named()
    {
        using var file = TensorFile.Parse(
            TensorFileWriters.Safetensors("""{"latent":{"dtype":"F32","shape":[1,4,1,1],"data_offsets":[0,16]},"scales":{"dtype":"F4","shape":[4],"data_offsets":[16,18]}}""", new byte[18]), "x");
        LoadedLatent latent = LatentFile.Load(file, "x", new());
        Assert.Contains(latent.Notes, static note => note.Contains("\"scales\" left out: it has element type F4", StringComparison.Ordinal));
    }

    static float[] Values(LoadedLatent latent) => MemoryMarshal.Cast<byte, float>(latent.Bytes).ToArray();
}
