using LatentBridge.Latents;
using LatentBridge.Onnx.Model;
using LatentBridge.Weights;

namespace LatentBridge.Onnx.Tests;

public sealed class OnnxModelTests : IDisposable
{
    const int F32 = OnnxFile.F32, F64 = 11;

    readonly TestModel _model = new();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Two_inputs_are_refused_by_name()
    {
        _model.Input("sample", F32, -1, 4, -2, -3).Input("timestep", 7, 1).Output("picture", F32, -1, 3, -2, -3).Colours("sample", "picture");
        Expect("it has 2 inputs (\"sample\" F32 [?, 4, ?, ?], \"timestep\" I64 [1])");
    }

    [Fact]
    public void Inputs_that_are_no_latent_are_refused_with_what_was_expected()
    {
        Problem(new TestModel().Input("x", F64, -1, 4, -2, -3), "its input is \"x\" F64 [?, 4, ?, ?]; F32 or F16 was expected");
        Problem(new TestModel().Input("x", F32, -1, 4, -2), "a latent has four axes");
        Problem(new TestModel().Input("x", F32, 2, 4, -2, -3), "always 2 latents at once");
        Problem(new TestModel(), "it has no input");
        Problem(new TestModel().Input("x", F32, -1, -2, -3, -4), "does not fix the number of channels");

        static void Problem(TestModel model, string expected)
        {
            using (model)
            {
                Assert.Contains(expected, OnnxModels.Recognise(model.Output("y", F32, -1, 3, -2, -3).Write()).Problem, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void An_output_that_is_no_picture_is_refused()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 16, -2, -3).Output("z", F32, -1, 10);
        Expect("none of its outputs is a picture of three colours");
    }

    [Fact]
    public void Damaged_files_are_told_from_models_and_never_throw()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Colours("x", "y");
        byte[] whole = _model.Bytes();
        string path = Path.Combine(_model.Folder, "broken-sd1.onnx");
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            FoundWeights found = OnnxModels.Recognise(path);
            Assert.True(found.Problem is not null || length > whole.Length - 16, $"{length} of {whole.Length} bytes were taken for a model.");
        }

        Random random = new(7);
        for (int i = 0; i < 500; i++)
        {
            byte[] bytes = [.. whole];
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            _ = OnnxModels.Recognise(path);
        }

        File.WriteAllText(path, "<!DOCTYPE html><html>Not found</html>");
        Assert.Contains("not an ONNX model", OnnxModels.Recognise(path).Problem, StringComparison.Ordinal);
        Assert.Contains("not find", OnnxModels.Recognise(Path.Combine(_model.Folder, "gone.onnx")).Problem, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("{ \"farmat\": \"SD15\" }", "\"farmat\" is unknown")]
    [InlineData("{ \"format\": \"SD99\" }", "\"format\" is \"SD99\"")]
    [InlineData("{ \"range\": \"0..2\" }", "\"0..1\", \"-1..1\" or \"0..255\" was expected")]
    [InlineData("{ \"layout\": 3 }", "model-sd1.json' beside it")]
    [InlineData("{ \"pixelsPerCell\": 0 }", "1 to 64 was expected")]
    [InlineData("{ \"output\": \"other\" }", "it has no output \"other\"")]
    [InlineData("{ \"input\": \"other\" }", "the JSON file next to it names \"other\"")]
    [InlineData("no", "model-sd1.json' beside it")]
    public void A_wrong_JSON_file_is_named_with_what_is_wrong_in_it(string json, string expected)
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Colours("x", "y");
        Assert.Contains(expected, OnnxModels.Recognise(_model.Write(json)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_JSON_file_says_what_the_model_does_not()
    {
        _model.Input("x", F32, -1, 16, -2, -3).Output("features", F32, -1, 3, -2, -3).Output("y", F32, -1, 3, -2, -3);
        OnnxModel model = OnnxModel.Read(_model.Write("""{ "format": "SD3", "range": "0..255", "space": "vae", "pixelsPerCell": 8, "output": "y", "quality": 12, "providers": ["CPU"] }""", "a.onnx"));
        Assert.Equal(("SD3", PictureRange.Bytes, LatentSpace.Vae, 8, "y", 12), (model.Notes.Format, model.Notes.Range, model.Space, model.PixelsPerCell, model.Output.Name, model.Quality));
        Assert.Equal(["SD3"], OnnxModels.Recognise(model.Path).Formats);
    }

    [Fact]
    public void Channels_of_several_formats_ask_for_the_format()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Colours("x", "y");
        Assert.Contains("Name one in a file 'vae.json' next to it: { \"format\": \"", OnnxModels.Recognise(_model.Write(name: "vae.onnx")).Problem, StringComparison.Ordinal);
        Assert.Contains("SD15", OnnxModels.Recognise(_model.Write(name: "vae-sd1.onnx")).Formats);
        Assert.Contains("SDXL", OnnxModels.Recognise(_model.Write(name: "vae-XL.onnx")).Formats);
    }

    [Theory]
    [InlineData(false, new long[] { 1, 4, 64, 64 })]
    [InlineData(true, new long[] { 1, 64, 64, 4 })]
    [InlineData(true, new long[] { -1, -2, -3, 4 })]
    [InlineData(false, new long[] { -1, 4, -2, -3 })]
    public void The_axes_say_where_the_channels_are(bool isLast, long[] axes)
    {
        _model.Input("x", F32, axes).Output("y", F32, -1, 3, -2, -3);
        OnnxModel model = OnnxModel.Read(_model.Write());
        Assert.Equal((isLast, 4), (model.IsInputChannelsLast, model.Channels));
        Assert.Equal(axes[2] > 0 ? 64 : -1, model.OnlySize.Height);
    }

    [Fact]
    public void A_full_VAE_reads_the_VAEs_scale_and_is_the_best()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3)
            .Floats("up", [1, 1, 8, 8], 4).Node("Resize", ["x", "", "up"], "large")
            .Floats("kernel", new float[4 * 512 * 9], 512, 4, 3, 3).Node("Conv", ["large", "kernel"], "wide")
            .Floats("narrow", new float[512 * 3 * 9], 3, 512, 3, 3).Node("Conv", ["wide", "narrow"], "y");
        OnnxModel model = OnnxModel.Read(_model.Write());
        Assert.Equal((8, 64.0 * 9 * 512 * 7), (model.PixelsPerCell, model.Cost.MultiplyAddsPerCell));
        Assert.Equal((LatentSpace.Sampler, 65), (model.Space, model.Quality));

        OnnxModel large = model with { Cost = model.Cost with { MultiplyAddsPerCell = 3e8 } };
        Assert.Equal((LatentSpace.Vae, 90), (large.Space, large.Quality));
    }

    [Fact]
    public void A_picture_of_noise_tells_the_range()
    {
        float[] noise = [.. Enumerable.Range(0, 1000).Select(i => MathF.Sin(i))];
        Assert.Equal(PictureRange.Signed, PictureRange.Of(noise));
        Assert.Equal(PictureRange.Unit, PictureRange.Of([.. noise.Select(value => (0.6f * value) + 0.5f)]));
        Assert.Equal(PictureRange.Bytes, PictureRange.Of([.. noise.Select(value => (127 * value) + 128)]));
    }

    void Expect(string problem) => Assert.Contains(problem, OnnxModels.Recognise(_model.Write()).Problem, StringComparison.Ordinal);
}
