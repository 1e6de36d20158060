using Newtonsoft.Json.Linq;

namespace LatentBridge.Host.Tests.Commands;

public sealed class ModelsCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void List_names_every_decoder_with_the_formats_it_serves()
    {
        Assert.Equal(0, _run.Run("models", "list", "--json"));
        JToken linear = JObject.Parse(_run.Output)["decoders"]!.Single(decoder => (string)decoder["id"]! == "latent2rgb");
        Assert.Superset(new HashSet<string> { "SD15", "SDXL", "SD3", "Flux", "Flux2" }, linear["formats"]!.Select(format => (string)format!).ToHashSet());
    }

    [Fact]
    public void List_of_one_format_leaves_the_others_out()
    {
        Assert.Equal(0, _run.Run("models", "list", "--format", "sdxl", "--json"));
        Assert.All(JObject.Parse(_run.Output)["decoders"]!, decoder => Assert.Equal("SDXL", Assert.Single(decoder["formats"]!)));
        Assert.Equal(2, _run.Run("models", "list", "--format", "SD99"));
    }

    [Fact]
    public void Formats_are_all_there_are()
    {
        Assert.Equal(0, _run.Run("models", "formats", "--json"));
        Assert.Equal(Formats.LatentFormats.Ids, JArray.Parse(_run.Output).Select(format => (string)format["id"]!));
    }

    [Fact]
    public void Convert_writes_a_network_as_an_ONNX_model_and_names_what_it_cannot()
    {
        string model = Path.Combine(_run.Folder, "tiny.onnx");
        Assert.Equal(0, _run.Run("models", "convert", Path.Combine(CommandRun.Root, "models", "tiny", "tiny-sd3.safetensors"), "--output", model));
        Assert.Contains("LatentBridge tiny decoder, 16 channels  SD3", _run.Output, StringComparison.Ordinal);
        Assert.Contains("SD3", Onnx.OnnxModels.Recognise(model).Formats);
        Assert.Equal(2, _run.Run("models", "convert", CommandRun.Example("SD15_run8"), "--output", model));
        Assert.Contains("none of the networks known here", _run.Error, StringComparison.Ordinal);
        Assert.Equal(2, _run.Run("models", "convert", Path.Combine(_run.Folder, "gone.safetensors")));
        Assert.Contains("does not exist", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_finds_the_bundled_weights_as_they_were_published()
    {
        Assert.Equal(0, _run.Run("models", "verify", "--json"));
        string bundled = Path.Combine(CommandRun.Root, "models"); // a folder of the user's may hold the same files once more
        JToken[] results = [.. JArray.Parse(_run.Output).Where(result => ((string)result["file"]!).StartsWith(bundled, StringComparison.Ordinal))];
        Assert.All(results, result => Assert.Equal(true, result["good"]));
        Assert.Equal(5, results.Count(result => ((string)result["id"]!).StartsWith("tiny-", StringComparison.Ordinal)));
    }
}
