using LatentBridge.Decoders;
using LatentBridge.Latents;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Model;

namespace LatentBridge.Onnx.Tests;

public sealed class OnnxDecoderTests : IDisposable
{
    const int F32 = OnnxFile.F32, F16 = OnnxFile.F16, U8 = OnnxFile.U8;

    readonly TestModel _model = new();

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData("0..1", 1)]
    [InlineData("-1..1", 1)]
    [InlineData("0..255", 100)]
    public void Bytes_are_the_range_rounded_half_up_and_clamped(string range, float factor)
    {
        Plain(factor);
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write($$"""{ "range": "{{range}}" }"""));
        float[] values = OnnxCatalogue.Latent(4, 6, 7);
        PictureRange black = PictureRange.Parse(range)!.Value;
        AssertPicture(decoder, values, 6, 7, value => ((value * factor) - black.Black) / (black.White - black.Black));
    }

    [Fact]
    public void The_range_is_found_from_a_picture_of_noise()
    {
        Plain(0.5f);
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write());
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 3, 5), 3, 5, value => (0.5f * value * 0.5f) + 0.5f);
    }

    [Fact]
    public void Channels_last_are_read_and_written()
    {
        _model.Input("x", F32, -1, -2, -3, 4).Output("y", F32, -1, -2, -3, 3)
            .Node("Transpose", ["x"], "planes", OnnxGraph.Attribute("perm", 0, 3, 1, 2)).Colours("planes", "colours")
            .Node("Transpose", ["colours"], "y", OnnxGraph.Attribute("perm", 0, 2, 3, 1));
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 3, 5), 3, 5, value => value);
    }

    [Fact]
    public void Halves_are_read_and_written()
    {
        _model.Input("x", F16, -1, 4, -2, -3).Output("y", F16, -1, 3, -2, -3)
            .Node("Cast", ["x"], "single", OnnxGraph.Attribute("to", F32)).Colours("single", "colours").Node("Cast", ["colours"], "y", OnnxGraph.Attribute("to", F16));
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 3, 5), 3, 5, value => (float)(Half)value);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bytes_are_taken_as_they_are(bool isLast)
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", U8, isLast ? [-1, -2, -3, 3] : [-1, 3, -2, -3]).Colours("x", "colours", 10)
            .Node("Abs", ["colours"], "positive").Node("Cast", ["positive"], isLast ? "bytes" : "y", OnnxGraph.Attribute("to", U8));
        _ = isLast ? _model.Node("Transpose", ["bytes"], "y", OnnxGraph.Attribute("perm", 0, 2, 3, 1)) : _model;
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write());
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 3, 5), 3, 5, value => MathF.Truncate(MathF.Abs(10 * value)) / 255);
    }

    [Theory]
    [InlineData("""{ "range": "0..1", "scale": 0.5, "shift": 0.25 }""", 0.5f, 0.25f)]
    [InlineData("""{ "range": "0..1", "space": "vae" }""", 1 / 0.18215f, 0)]
    [InlineData("""{ "range": "0..1", "space": "sampler" }""", 1, 0)]
    public void Latents_come_in_the_scale_that_the_model_reads(string json, float scale, float shift)
    {
        Plain();
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write(json));
        AssertPicture(decoder, [.. OnnxCatalogue.Latent(4, 3, 5).Select(value => value / 10)], 3, 5, value => (value * scale) + shift);
    }

    [Fact]
    public void A_model_of_one_size_decodes_that_size_and_says_so_for_others()
    {
        _model.Input("x", F32, 1, 4, 6, 8).Output("y", F32, 1, 3, 6, 8).Colours("x", "y");
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 6, 8), 6, 8, value => value);
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => Decode(decoder, OnnxCatalogue.Latent(4, 8, 8), 8, 8));
        Assert.Contains("6 x 8 cells only; this one has 8 x 8. Export it with dynamic height and width", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_picture_of_another_size_than_expected_is_told_with_what_helps()
    {
        Plain();
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1", "pixelsPerCell": 4 }"""));
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => Decode(decoder, OnnxCatalogue.Latent(4, 8, 8), 8, 8));
        Assert.Contains("model-sd1.onnx' on CPU", failure.Message, StringComparison.Ordinal);
        Assert.Contains("\"pixelsPerCell\"", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_does_not_load_is_named_with_the_librarys_reason()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Node("NoSuchOperation", ["x"], "y");
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => Decode(decoder, OnnxCatalogue.Latent(4, 8, 8), 8, 8));
        Assert.Contains("model-sd1.onnx' on CPU", failure.Message, StringComparison.Ordinal);
        Assert.Contains("NoSuchOperation", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_cut_short_are_told_when_they_are_loaded()
    {
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Floats("kernel", new float[5], 3, 4, 1, 1).Node("Conv", ["x", "kernel"], "y");
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        Assert.Contains("model-sd1.onnx' on CPU: ", Assert.Throws<LatentBridgeException>(() => Decode(decoder, OnnxCatalogue.Latent(4, 8, 8), 8, 8)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_at_run_time_spoils_no_later_picture()
    {
        // Planes of 12 x 2 cells, whatever comes: right for 4 x 6 only.
        _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3)
            .Integers("shape", 1, 4, 12, 2).Node("Reshape", ["x", "shape"], "tall").Colours("tall", "colours")
            .Integers("back", 1, 3, 4, 6).Node("Reshape", ["colours", "back"], "y");
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1" }"""));
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => Decode(decoder, OnnxCatalogue.Latent(4, 5, 5), 5, 5));
        Assert.Contains("model-sd1.onnx' on CPU", failure.Message, StringComparison.Ordinal);
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 4, 6), 4, 6, value => value);
    }

    [Fact]
    public void A_provider_that_is_not_there_is_passed_over_and_status_says_why()
    {
        Plain();
        using ILatentDecoder decoder = OnnxCatalogue.Load(_model.Write("""{ "range": "0..1", "providers": ["cuda"] }"""));
        AssertPicture(decoder, OnnxCatalogue.Latent(4, 3, 5), 3, 5, value => value);
        Assert.StartsWith("model-sd1.onnx, C", decoder.Description.Source, StringComparison.Ordinal);
        if (!decoder.Description.Source.StartsWith("model-sd1.onnx, CUDA", StringComparison.Ordinal))
        {
            Assert.StartsWith("model-sd1.onnx, CPU; CUDA failed: ", decoder.Description.Source, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_unknown_provider_is_refused_by_name()
    {
        Plain();
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => OnnxCatalogue.Load(_model.Write("""{ "range": "0..1", "providers": ["tpu"] }""")));
        Assert.Equal("The execution provider \"tpu\" is not known; CUDA, DirectML, CPU are.", failure.Message);
    }

    [Fact]
    public void A_cancelled_decode_stops_and_the_next_one_is_whole()
    {
        using ILatentDecoder decoder = Tiny();
        float[] values = OnnxCatalogue.Latent(4, 128, 128);
        byte[] whole = Decode(decoder, values, 128, 128);
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => DecodeUntil(decoder, values, 128, 128, cancelled.Token));
        using CancellationTokenSource soon = new(TimeSpan.FromMilliseconds(5));
        Assert.Throws<OperationCanceledException>(() => Repeat(decoder, values, soon.Token));
        Assert.Equal(whole, Decode(decoder, values, 128, 128));

        static void Repeat(ILatentDecoder decoder, float[] values, CancellationToken cancellation)
        {
            while (true)
            {
                DecodeUntil(decoder, values, 128, 128, cancellation);
            }
        }
    }

    [Fact]
    public void A_further_decode_of_a_size_allocates_nothing()
    {
        using ILatentDecoder decoder = Tiny();
        float[] values = OnnxCatalogue.Latent(4, 16, 16);
        byte[] picture = new byte[3 * 64 * 64];
        for (int i = 0; i < 40; i++)
        {
            Once();
        }

        long least = Enumerable.Range(0, 5).Min(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Once();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        Assert.Equal(0, least);

        void Once() => decoder.Decode(new LatentPlanes(values, 4, 16, 16), picture, 1, CancellationToken.None);
    }

    void Plain(float factor = 1) => _model.Input("x", F32, -1, 4, -2, -3).Output("y", F32, -1, 3, -2, -3).Colours("x", "y", factor);

    ILatentDecoder Tiny()
    {
        string path = Path.Combine(_model.Folder, "tiny-sd1.onnx");
        File.WriteAllBytes(path, OnnxExport.Convert(LatentDecoders.Networks.Look(Path.Combine(TestData.RepositoryRoot, "models", "tiny", "tiny-sd1.safetensors"))[0]));
        return OnnxCatalogue.Load(path);
    }

    static byte[] Decode(ILatentDecoder decoder, float[] values, int height, int width) => DecodeUntil(decoder, values, height, width, CancellationToken.None);

    static byte[] DecodeUntil(ILatentDecoder decoder, float[] values, int height, int width, CancellationToken cancellation)
    {
        (int across, int down) = decoder.Description.OutputSize(height, width);
        byte[] picture = new byte[3 * across * down];
        decoder.Decode(new LatentPlanes(values, 4, height, width), picture, 1, cancellation);
        return picture;
    }

    /// <summary>Each colour is its channel, mapped to 0..1.</summary>
    static void AssertPicture(ILatentDecoder decoder, float[] values, int height, int width, Func<float, float> map)
    {
        byte[] picture = Decode(decoder, values, height, width);
        for (int i = 0; i < picture.Length; i++)
        {
            float value = map(values[(i % 3 * height * width) + (i / 3)]);
            float level = Math.Clamp(value * 255, 0, 255);

            // Where the level is all but halfway between two, either will do.
            Assert.InRange(picture[i], MathF.Floor(level + 0.4999f), MathF.Floor(level + 0.5001f));
        }
    }
}
